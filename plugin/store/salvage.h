/* salvage.h - the repair of an agent's folder: bad lines are saved and removed, the rest follows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_SALVAGE_H
#define KAIZEN_SALVAGE_H

#include "base/error.h"
#include "store/project.h"

struct salvage_result {
  char saved_to[64];  /* the name of the file that holds the lines that were removed; "": none */
  uint64_t held_back; /* as cursor_repair_agent() */
};

/* Repairs the cursor, removes lines that are not records from the log, under its lock, and rebuilds
 * the derived files. */
int salvage_agent(const struct project *project, const char *agent, unsigned trend_window,
                  int64_t lock_timeout_ms, bool sync, struct salvage_result *done,
                  struct error *error);

#endif
