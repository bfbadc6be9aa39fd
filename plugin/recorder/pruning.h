/* pruning.h - looks for expired lines now and then, after a call that records.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A short log is pruned on the thread of the call.  A long one takes seconds, which no call should:
 * it has a thread of its own while it lasts, one per recorder. */
#ifndef KAIZEN_PRUNING_H
#define KAIZEN_PRUNING_H

#include <stdatomic.h>

#include "recorder/open_agents.h"

struct pruning {
  const struct recorder_options *options;
  pthread_mutex_t mutex;
  pthread_cond_t ended;
  pthread_t thread;
  bool started, running; /* there is a thread to join; it is at work */
  atomic_bool give_up;
  char agent[AGENT_NAME_MAX + 1];
  int64_t now_s;
};

void pruning_init(struct pruning *pruning, const struct recorder_options *options);
/* Waits for some seconds for a thread at work, then has it give up. */
void pruning_fini(struct pruning *pruning);
enum pruning_due { PRUNING_NOT_DUE, PRUNING_SHORT, PRUNING_LONG };
/* Whether it is this call's turn to look: one call's in an hour at most, and only while nobody
 * records for the agent. */
enum pruning_due pruning_is_due(struct pruning *pruning, struct open_agent *open, int64_t now_s);
/* Removes expired lines from the log, and updates summary.json.  Waits for the lock until
 * deadline_ns (CLOCK_MONOTONIC).  The result is reported to the host's log. */
void pruning_run(struct pruning *pruning, enum pruning_due due, const char *agent, int64_t now_s,
                 int64_t deadline_ns);

#endif
