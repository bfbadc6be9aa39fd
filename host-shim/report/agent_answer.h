/* agent_answer.h - how an agent performs: its figures, the last 20 runs, the last 7 days, what
 * changed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_AGENT_ANSWER_H
#define KAIZEN_HOST_AGENT_ANSWER_H

#include "report/figures.h"

struct agent_answer {
  struct runs runs;
  struct run_slice chosen;           /* those of the window */
  struct figures figures;            /* of the chosen runs, and */
  struct figures_changes changes;    /* so is what changed */
  struct share last_20, last_7_days; /* of all runs, whatever the window */
};

/* -1 with *problem; nothing is to be freed then. */
int agent_answer_read(struct session *session, const char *agent, const struct window *window,
                      struct agent_answer *answer, struct problem *problem);
/* The same, and the lines of the newest of the chosen runs: `lines` says how many, and whether only
 * of failures.  They are the caller's to free. */
int agent_answer_read_lines(struct session *session, const char *agent, const struct window *window,
                            struct agent_answer *answer, struct run_lines *lines,
                            struct problem *problem);
void agent_answer_free(struct agent_answer *answer);
/* Frees what only the single runs need: for a caller that keeps the answers of many agents. */
void agent_answer_forget_runs(struct agent_answer *answer);
/* Adds "figures", "last_20", "last_7_days" and "change" to an object. */
void agent_answer_add_json(const struct agent_answer *answer, struct json_object *object);
/* The lines of `show` and `report` below the agent's name, indented by two. */
void agent_answer_print(const struct agent_answer *answer);

#endif
