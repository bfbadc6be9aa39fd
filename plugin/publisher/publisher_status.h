/* publisher_status.h - what a publisher reports: its state, and messages.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_PUBLISHER_STATUS_H
#define KAIZEN_PUBLISHER_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Ids of messages to the host's log (message.h). */
enum publisher_message {
  PUBLISHER_MESSAGE_CONNECTED = 201,
  PUBLISHER_MESSAGE_TROUBLE = 202,         /* events wait; the text says for what */
  PUBLISHER_MESSAGE_DEAD_LETTER = 203,     /* the broker refused an event permanently */
  PUBLISHER_MESSAGE_STORE_LOST = 204,      /* the stream lost what it had acknowledged */
  PUBLISHER_MESSAGE_LOST_BY_REWRITE = 205, /* a log was rewritten, and unacknowledged events are
                                            * gone */
  PUBLISHER_MESSAGE_AGENT_FAILED = 206,    /* an agent's files cannot be used */
  PUBLISHER_MESSAGE_HELD = 207,            /* events of a copied or restored tree wait for a
                                            * decision */
  PUBLISHER_MESSAGE_GAVE_UP = 208,         /* no success here: lets another process try */
  PUBLISHER_MESSAGE_NOT_STORED = 209,      /* answered as a duplicate, and not in the stream */
};

/* Messages for the host's log, made on the publisher's thread; the receiver queues them (plugin
 * ABI: callbacks only inside a call).  level and id as kaizen_host_v1.log. */
typedef void (*publisher_log)(void *ctx, int32_t level, int32_t id, const char *text);

struct publisher_status {
  int32_t state;             /* KAIZEN_PUBLISHER_* */
  pid_t holder_pid;          /* who holds the project's publisher lock, 0: nobody */
  uint64_t publish_failures; /* answers that were not acknowledgements, since start */
  uint64_t duplicates;       /* acknowledged as duplicates, since start */
  uint64_t duplicates_gone;  /* duplicates that were looked up, and are not in the stream */
  int64_t last_acknowledged_unix_ns;
  char reason[160]; /* why it is not CONNECTED, or why nothing is acknowledged although it is */
  bool hopeless;    /* waiting does not help: refused, no library, no stream, ... */
};

#endif
