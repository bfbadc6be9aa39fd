/* verify.h - compares an agent's log with everything derived from it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_VERIFY_H
#define KAIZEN_VERIFY_H

#include "base/error.h"
#include "common/buffer.h"
#include "store/project.h"

#define VERIFY_BAD_LINES_MAX 100

/* kaizen.repair/1's report into *report; `lock_ns`: how long to wait for the lock, by
 * CLOCK_MONOTONIC.  Writes nothing.  0, 1 when the agent has no log, -1 with *error. */
int verify_agent(const struct project *project, const char *agent, unsigned trend_window,
                 int64_t lock_ns, struct buffer *report, struct error *error);

#endif
