/* agent_view.h - one agent's log as it stands now, read without writing anything.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * For reports, statistics and the publisher.  Only committed bytes are read: what the log held at a
 * moment when nobody held its lock exclusively. */
#ifndef KAIZEN_AGENT_VIEW_H
#define KAIZEN_AGENT_VIEW_H

#include "base/error.h"
#include "record/fold.h"
#include "store/agent_log.h"
#include "store/agent_state.h"
#include "store/project.h"

struct agent_view {
  struct fold fold;
  struct agent_state state; /* zeroed when there is none */
  bool has_state;
  uint64_t committed_end;   /* offset after the last committed newline */
  int64_t oldest_pending_s; /* timestamp of the first pending line, -1: none */
  /* of the marked lines in the log; held is part of pending */
  uint64_t acknowledged, pending, held, dead_lettered;
  bool impossible; /* .state and the log contradict each other (cursor.h): all count as pending */
};
#define AGENT_VIEW_IMPOSSIBLE                                                                      \
  ".state and the log contradict each other, so what was acknowledged is not known; 'kaizen-host " \
  "verify' compares them"

/* How long a reader may take, by CLOCK_MONOTONIC: to get the lock, and in total. */
struct agent_view_limits {
  int64_t lock_ns, work_ns;
  bool at_once; /* without leaving the processor to somebody who writes the log right now */
};
/* `lock_timeout_ms` from now, then as long as the log takes. */
struct agent_view_limits agent_view_patience(int64_t lock_timeout_ms);

/* Opens the log to be read as it stood at a moment when nobody was writing: the bytes before *size
 * are committed, and the lock is not held any more.  0; 1 when the agent has no log; -1 with
 * *error. */
int agent_view_open_log(int agent_fd, int64_t lock_deadline_ns, struct agent_log *log,
                        uint64_t *size, struct error *error);
/* 0; 1 when the agent has no log; -1 with *error when it is unknown, KAIZEN_E_BUSY when the lock
 * was not free or the time too short. */
int agent_view_read(const struct project *project, const char *agent,
                    const struct agent_view_limits *limits, struct agent_view *view,
                    struct error *error);

#endif
