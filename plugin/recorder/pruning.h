/* pruning.h - looks for expired lines now and then, on the thread of a call that records.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_PRUNING_H
#define KAIZEN_PRUNING_H

#include "recorder/open_agents.h"

/* Whether it is this call's turn to look.  True for one call in an hour at most, and only while
 * nobody records for the agent. */
bool pruning_is_due(const struct recorder_options *options, struct open_agent *open, int64_t now_s);
/* Takes expired lines out of the log, and shows in summary.json what is left.  The lock is waited
 * for until deadline_ns (CLOCK_MONOTONIC).  What comes of it is told to the host's log. */
void pruning_run(const struct recorder_options *options, const char *agent, int64_t now_s,
                 int64_t deadline_ns);

#endif
