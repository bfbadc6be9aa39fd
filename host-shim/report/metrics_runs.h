/* metrics_runs.h - the figures of runs as metrics: outcomes, durations, tokens, cost, changes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_METRICS_RUNS_H
#define KAIZEN_HOST_METRICS_RUNS_H

#include <stdio.h>

#include "host/unreadable.h"
#include "report/agent_answer.h"

struct metrics_agent;
struct metrics_runs { /* of one project; zero it first */
  struct metrics_agent *list;
  size_t count, room;
  char *project, *root;         /* root NULL: it is the only project, and no label */
  struct json_object *delivery; /* kaizen.inspect/1's report */
};

/* Reads every agent's runs of the window. */
int metrics_runs_read(struct metrics_runs *runs, struct session *session,
                      const struct window *window, struct unreadable *unreadable,
                      struct problem *problem);
/* A metric is one family that covers all projects. */
void metrics_runs_print(FILE *out, const struct metrics_runs *projects, size_t count);
/* Replaces the counts of runs in the delivery report by those of the window. */
void metrics_runs_narrow(struct metrics_runs *runs);
void metrics_runs_free(struct metrics_runs *runs);

/* NAME{root="...",project="...",agent="..." without the closing bracket. */
void metrics_runs_begin_sample(FILE *out, const char *name, const struct metrics_runs *runs,
                               const char *agent);

#endif
