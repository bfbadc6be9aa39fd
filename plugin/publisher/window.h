/* window.h - events that were read and not yet acknowledged, at most TRANSPORT_WINDOW of
 * them.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * An entry names its line and does not hold it, so the memory does not depend on the events.  The
 * publisher's thread only. */
#ifndef KAIZEN_WINDOW_H
#define KAIZEN_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "broker/transport.h"

enum window_state {
  WINDOW_QUEUED, /* to be sent, or sent again */
  WINDOW_SENT,   /* an answer is due */
  WINDOW_DONE,   /* acknowledged, or refused permanently: `refusal` */
};

struct publisher_agent;

struct window_entry {
  struct window_entry *next; /* of its agent, in the order of the log */
  struct publisher_agent *agent;
  uint64_t begin, end; /* its line in the log */
  int64_t sent_ns, not_before_ns;
  uint64_t floor;        /* an acknowledgement must have a greater sequence ... */
  uint64_t floor_stream; /* ... when it is of this stream (a hash; 0: not known) */
  uint32_t era;          /* ... and the store was not lost since: the eras differ then */
  uint32_t declined;     /* times it was declined, perhaps by itself */
  uint32_t unjudged;     /* times it was refused, and nobody knew whether the stream takes any */
  enum window_state state;
  char *refusal; /* why it became a dead letter; NULL: it did not */
  unsigned char id[16];
};

struct window {
  struct window_entry *entries; /* TRANSPORT_WINDOW of them, once one was needed */
  struct window_entry *unused;
  size_t in_use;
};

struct window_entry *window_take(struct window *window); /* zeroed; NULL: full, or out of memory */
void window_give_back(struct window *window, struct window_entry *entry);
uint64_t window_ticket(const struct window *window, const struct window_entry *entry);
struct window_entry *window_entry_of(struct window *window,
                                     uint64_t ticket); /* NULL: none of ours */
/* Makes the entry a dead letter, so that it blocks no other.  -1: out of memory. */
int window_refuse(struct window_entry *entry, const char *reason);
void window_fini(struct window *window);

#endif
