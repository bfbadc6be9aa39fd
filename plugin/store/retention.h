/* retention.h - removes expired lines from an agent's log, at most once a day.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_RETENTION_H
#define KAIZEN_RETENTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/project.h"
#include "store/retention_clock.h"

/* Prunes when the wall clock says that a day has passed since it was last asked (it must have been
 * asked before) and a sixteenth of the log's bytes has expired, by the retention clock
 * (retention_clock.h); when more than half of the records have, the wall clock must have agreed for
 * days.  Kept at any age: marked lines that are not acknowledged, the cursor's own line, lines
 * whose timestamp cannot be read.
 * Must not be called with the agent's lock held, and waits for it at most *wait_ns, which it
 * lowers. The work is done without the lock, on a copy; *give_up (may be NULL) ends it. 1 with
 * *dropped lines when the log was rewritten, 0 when there was nothing to do, -1 with *error (the
 * log is then as it was). */
int retention_prune(const struct project *project, const char *agent, int64_t retention_days,
                    const struct retention_look *look, int64_t *wait_ns, bool sync,
                    const atomic_bool *give_up, uint64_t *dropped, struct error *error);

#endif
