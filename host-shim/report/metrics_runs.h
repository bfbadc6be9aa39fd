/* metrics_runs.h - what runs come to as metrics: outcomes, durations, tokens, cost, changes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_METRICS_RUNS_H
#define KAIZEN_HOST_METRICS_RUNS_H

#include <stdio.h>

#include "host/unreadable.h"
#include "report/agent_answer.h"

struct metrics_agent;
struct metrics_runs { /* zero it first */
  struct metrics_agent *list;
  size_t count, room;
  struct window window;
  struct session *session;
  struct unreadable unreadable;
};

/* Reads every agent's runs of the window. */
int metrics_runs_read(struct metrics_runs *runs, struct problem *problem);
void metrics_runs_print(FILE *out, const struct metrics_runs *runs, const char *project);
/* For an agent of kaizen.inspect/1's report: its counts become those of the window. */
void metrics_runs_narrow(const struct metrics_runs *runs, struct json_object *agent);
/* Answers the exit status as unreadable_finish(). */
int metrics_runs_free(struct metrics_runs *runs);

#endif
