/* seats.h - the agents this recorder holds open, by name; idle ones are closed when there are many.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_SEATS_H
#define KAIZEN_SEATS_H

#include <pthread.h>
#include <stdbool.h>

#include "recorder/commit.h"

/* Idle agents kept open: five descriptors each. */
#define SEATS_IDLE_MAX 32
#define SEATS_BUCKETS 64

struct job;

struct seat {           /* one agent, and the threads that record for it */
  struct agent agent;   /* used by the leader only */
  struct commit commit; /* likewise */
  uint64_t told_rebuilt, told_skipped, told_rewrites; /* likewise */
  /* when it was last looked for expired lines; guarded by the queue's mutex */
  int64_t prune_look_s;
  pthread_mutex_t mutex; /* of the queue */
  struct job *first, **last;
  size_t queued, last_batch, wanted; /* jobs; wanted: `company` is signalled when that many wait */
  pthread_cond_t company;
  bool led;
  /* guarded by the table's mutex */
  unsigned users;
  struct seat *next_in_bucket, *newer, *older;
};

struct seats {
  pthread_mutex_t mutex;
  const struct recorder_options *options;
  struct seat *buckets[SEATS_BUCKETS];
  struct seat *newest, *oldest; /* idle ones, by when they were last used */
  unsigned idle;
};

void seats_init(struct seats *seats, const struct recorder_options *options);
void seats_fini(struct seats *seats); /* closes all; none in use */
/* NULL: out of memory. */
struct seat *seats_take(struct seats *seats, const char *agent);
void seats_give_back(struct seats *seats, struct seat *seat);
/* Closes every idle agent: the process ran out of descriptors. */
void seats_close_idle(struct seats *seats);

#endif
