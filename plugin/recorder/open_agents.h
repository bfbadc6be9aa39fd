/* open_agents.h - the agents a recorder holds open, by name.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Those that nobody records for stay open for as long as the process has descriptors for them
 * (base/descriptors.h); all recorders of the process share them, and any recorder closes another's
 * agents when descriptors run out. */
#ifndef KAIZEN_OPEN_AGENTS_H
#define KAIZEN_OPEN_AGENTS_H

#include <pthread.h>

#include "recorder/call_queue.h"
#include "recorder/host_message.h"
#include "recorder/line_batch.h"

#define OPEN_AGENTS_BUCKETS 64

struct open_agent {
  struct call_queue queue; /* the calls that record for it */
  /* the leader's alone */
  struct agent agent;
  struct line_batch batch;
  struct host_message_told told;
  int64_t prune_look_s; /* when it was last looked for expired lines; while the queue is held */
  /* guarded by the process's mutex */
  struct open_agents *table;
  unsigned users;
  bool kept;       /* its descriptors are counted */
  int64_t used_ns; /* when it was given back last */
  struct open_agent *next_in_bucket, *newer, *older;
};

struct open_agents {
  const struct recorder_options *options;
  struct open_agent *buckets[OPEN_AGENTS_BUCKETS];
  unsigned closing; /* taken out, and still being closed by somebody; by the process's mutex */
};

void open_agents_init(struct open_agents *agents, const struct recorder_options *options);
void open_agents_fini(struct open_agents *agents); /* closes all; none in use */
/* NULL: out of memory. */
struct open_agent *open_agents_take(struct open_agents *agents, const char *name);
void open_agents_give_back(struct open_agent *open);
/* Closes every idle agent of the process, which ran out of descriptors. */
void open_agents_close_idle(void);

#endif
