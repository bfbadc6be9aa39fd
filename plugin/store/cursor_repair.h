/* cursor_repair.h - brings a cursor that contradicts the log in line with it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_CURSOR_REPAIR_H
#define KAIZEN_CURSOR_REPAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/project.h"

/* What verify names about the cursor of a .state of this tree (cursor_search_judge) is set right
 * from the log.  An event of which it is then unknown whether it was sent is held back; *held_back
 * is how many there are, 0 when nothing had to be set right.  No lock held.  0, or -1 with
 * *error. */
int cursor_repair_agent(const struct project *project, const char *agent, int64_t lock_timeout_ms,
                        bool sync, uint64_t *held_back, struct error *error);

#endif
