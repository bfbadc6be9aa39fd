/* agent_history.h - a project's agents, each one's summary, and the records of its log.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_AGENT_HISTORY_H
#define KAIZEN_HOST_AGENT_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "host/session.h"
#include "report/window.h"

/* The summary of the whole log.  -1: no such agent (EXIT_CODE_FAILED, near names given). */
int agent_history_summary(struct session *session, const char *agent,
                          struct kaizen_summary *summary, struct problem *problem);
/* The records of a window as the log's own lines, in its order.  *undated: how many a range of
 * times leaves out, because their timestamp cannot be read. */
int agent_history_query(struct session *session, const char *agent, const struct window *window,
                        kaizen_sink sink, void *ctx, uint64_t *undated, struct problem *problem);
/* "no agent 'cuach' in ROOT; did you mean 'coach'?"; -1. */
int agent_history_unknown(struct session *session, const char *agent, struct problem *problem);

/* Calls visit for each agent that has a log, by name; a result other than 0 ends it and is
 * returned. */
int agent_history_each(struct session *session,
                       int (*visit)(void *ctx, const char *agent, struct problem *problem),
                       void *ctx, struct problem *problem);

#endif
