/* messages.h - messages on their way to the host's log callback.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Queued by any thread with any lock held; handed over on a thread that is inside a call and holds
 * none, because the host's callback may take locks of its own (plugin.h, kaizen_host_v1).  Bounded:
 * when the queue is full the oldest stay.  Of one id at most one message in ten seconds is queued,
 * with the count of those left out. */
#ifndef KAIZEN_MESSAGES_H
#define KAIZEN_MESSAGES_H

#include <kaizen/plugin.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/message.h"

#define MESSAGES_QUEUED_MAX 32
#define MESSAGES_TEXT_MAX 400
#define MESSAGES_IDS_MAX 32

struct messages {
  pthread_mutex_t mutex;
  const struct kaizen_host_v1 *host; /* borrowed */
  atomic_uint count; /* written under the mutex; read without it to pass by an empty queue */
  struct {
    int32_t level, id;
    char text[MESSAGES_TEXT_MAX];
  } queued[MESSAGES_QUEUED_MAX];
  struct {
    int32_t id;
    int64_t next_ns;
    uint64_t left_out;
  } recent[MESSAGES_IDS_MAX];
};

void messages_init(struct messages *messages, const struct kaizen_host_v1 *host);
void messages_fini(struct messages *messages);
/* struct message_sink's function; ctx is the struct messages. */
void messages_send(void *ctx, int32_t level, int32_t id, const char *text);
/* Calls the host's log with what is queued. */
void messages_deliver(struct messages *messages);

#endif
