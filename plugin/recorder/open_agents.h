/* open_agents.h - the agents this recorder holds open, by name; idle ones are closed when there are
 * many.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_OPEN_AGENTS_H
#define KAIZEN_OPEN_AGENTS_H

#include <pthread.h>

#include "recorder/call_queue.h"
#include "recorder/host_message.h"
#include "recorder/line_batch.h"

/* Idle agents kept open: five descriptors each. */
#define OPEN_AGENTS_IDLE_MAX 32
#define OPEN_AGENTS_BUCKETS 64

struct open_agent {
  struct call_queue queue; /* the calls that record for it */
  /* the leader's alone */
  struct agent agent;
  struct line_batch batch;
  struct host_message_told told;
  int64_t prune_look_s; /* when it was last looked for expired lines; while the queue is held */
  /* guarded by the table's mutex */
  unsigned users;
  struct open_agent *next_in_bucket, *newer, *older;
};

struct open_agents {
  pthread_mutex_t mutex;
  const struct recorder_options *options;
  struct open_agent *buckets[OPEN_AGENTS_BUCKETS];
  struct open_agent *newest, *oldest; /* idle ones, by when they were last used */
  unsigned idle;
};

void open_agents_init(struct open_agents *agents, const struct recorder_options *options);
void open_agents_fini(struct open_agents *agents); /* closes all; none in use */
/* NULL: out of memory. */
struct open_agent *open_agents_take(struct open_agents *agents, const char *name);
void open_agents_give_back(struct open_agents *agents, struct open_agent *open);
/* Closes every idle agent: the process ran out of descriptors. */
void open_agents_close_idle(struct open_agents *agents);

#endif
