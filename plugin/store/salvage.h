/* salvage.h - removes lines that are not records from an agent's log, and saves them first.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_SALVAGE_H
#define KAIZEN_SALVAGE_H

#include "base/error.h"
#include "store/project.h"

/* Removes lines that are not records from the log, under its lock, and rebuilds the derived files.
 * *saved_to gets the name of the file that holds them, "" when there were none. */
int salvage_agent(const struct project *project, const char *agent, unsigned trend_window,
                  int64_t lock_timeout_ms, bool sync, char saved_to[64], struct error *error);

#endif
