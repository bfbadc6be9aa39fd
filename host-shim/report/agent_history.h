/* agent_history.h - one agent's summary and recent runs, read through kaizen.inspect/1.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_AGENT_HISTORY_H
#define KAIZEN_HOST_AGENT_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "host/session.h"
#include "report/window.h"

struct agent_history {
  struct kaizen_summary summary;
  char **lines; /* records as the log has them, oldest first, without newline */
  size_t line_count, line_room;
};

/* The summary of the whole log, and the newest `max` records of the window (0: none).  -1: no such
 * agent (EXIT_CODE_FAILED, near names given). */
int agent_history_read(struct session *session, const char *agent, const struct window *window,
                       uint64_t max, struct agent_history *view, struct problem *problem);
/* Asks kaizen.query/1 for the records of a window, the newest `max` of them (0: all). */
int agent_history_query(struct session *session, const char *agent, const struct window *window,
                        uint64_t max, kaizen_sink sink, void *ctx, struct problem *problem);
void agent_history_free(struct agent_history *view);
/* "no agent 'cuach' in ROOT; did you mean 'coach'?"; -1. */
int agent_history_unknown(struct session *session, const char *agent, struct problem *problem);

/* Calls visit for each agent that has a log, by name; a result other than 0 ends it and is
 * returned. */
int agent_history_each(struct session *session,
                       int (*visit)(void *ctx, const char *agent, struct problem *problem),
                       void *ctx, struct problem *problem);

#endif
