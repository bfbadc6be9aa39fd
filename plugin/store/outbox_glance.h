/* outbox_glance.h - what can be seen of an agent's events without its lock and without opening its
 * log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Enough to skip, among many agents, those that have nothing to send. */
#ifndef KAIZEN_OUTBOX_GLANCE_H
#define KAIZEN_OUTBOX_GLANCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/agent_state.h"
#include "store/project.h"

struct outbox_glance {
  bool has_log, has_state;
  uint64_t size; /* of the log */
  dev_t device;
  ino_t inode;
  uint64_t stamp;           /* differs when log or .state were written, replaced or removed since */
  int64_t modified_unix_ns; /* when the newer of them was written */
};

/* -1: unknown. */
int outbox_glance_take(int metrics_fd, const char *agent, struct outbox_glance *glance);
/* .state, read after the glance.  0; 1: there is none that can be trusted, or a page is being
 * written; -1. */
int outbox_glance_state(const struct project *project, const char *agent,
                        struct agent_state *state);
/* Does the log end with the line that the cursor in `state` is at, and is nothing held back? */
bool outbox_glance_is_through(const struct project *project, const char *agent,
                              const struct outbox_glance *glance, const struct agent_state *state);

#endif
