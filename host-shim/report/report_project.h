/* report_project.h - what the report is about: every agent, the worst first, and all runs together.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_PROJECT_H
#define KAIZEN_HOST_REPORT_PROJECT_H

#include "report/agent_rows.h"

struct report_delivery { /* sums over kaizen.inspect/1's reports */
  uint64_t marked, acknowledged, pending, held, dead_lettered;
  size_t unknown; /* agents whose events are unknown */
};

struct report_period { /* runs of the period that ends with the window, and of the one before */
  struct share recent, before;
};

enum { REPORT_PROJECT_SCORES = 2 * FIGURES_ASPECTS + 1, REPORT_PROJECT_CHANGES_MAX = 256 };
struct report_project { /* zero it first */
  char *name;           /* of the project; for several, how many there are */
  char *root;           /* NULL of several */
  struct agent_rows rows;
  struct runs runs; /* of all agents, in the order of time */
  struct figures figures;
  struct report_period day, week;
  size_t by_score[REPORT_PROJECT_SCORES]; /* agents by figures_change_score() + FIGURES_ASPECTS */
  size_t too_few;                         /* of those with a score of 0: too few runs to tell */
  struct report_delivery delivery;
};

/* Adds a project; `name` NULL when it is the only one. */
int report_project_add(struct report_project *project, struct session *session, const char *name,
                       struct problem *problem);
/* After the last: figures of all, and the agents in the order of the report: first those whose
 * success got worse, then of lower quality, then slower, then more expensive; among these and the
 * others by the upper limit of the success rate of the last 20 runs. */
int report_project_finish(struct report_project *project, struct problem *problem);
/* "1 worse, 2 slower, 1 better": each agent counts once, by its foremost change; "none changed",
 * "too few runs to tell". */
void report_project_changes_text(const struct report_project *project,
                                 char out[REPORT_PROJECT_CHANGES_MAX]);
/* How many agents changed. */
size_t report_project_changed(const struct report_project *project);
void report_project_free(struct report_project *project);

#endif
