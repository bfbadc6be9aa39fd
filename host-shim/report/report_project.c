/* report_project.c - what the report is about: every agent, the worst first, and all runs together.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_project.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time_text.h"
#include "host/report_text.h"

static const int64_t DAY_S = 86400;

static void add_delivery(struct report_delivery *sums, struct json_object *report) {
  struct json_object *agents = report_text_member(report, "agents");

  for (size_t i = 0;
       json_object_is_type(agents, json_type_array) && i < json_object_array_length(agents); i++) {
    struct json_object *agent = json_object_array_get_idx(agents, i);

    sums->marked += report_text_count(agent, "marked");
    sums->acknowledged += report_text_count(agent, "acknowledged");
    sums->pending += report_text_count(agent, "pending");
    sums->held += report_text_count(agent, "held");
    sums->dead_lettered += report_text_count(agent, "dead_lettered");
  }
  sums->unknown += json_object_array_length(unreadable_in(report));
}

static int name_project(struct report_project *project, const struct session *session,
                        struct json_object *delivery) {
  free(project->name);
  free(project->root);
  project->name = project->root = NULL;
  if (project->rows.projects > 0)
    return asprintf(&project->name, "%zu projects", project->rows.projects + 1) < 0 ? -1 : 0;
  project->name = strdup(report_text_string(delivery, "project", "?"));
  project->root = strdup(session->project_root);
  return project->name && project->root ? 0 : -1;
}

int report_project_add(struct report_project *project, struct session *session, const char *name,
                       struct problem *problem) {
  struct json_object *delivery = NULL;

  project->rows.all = &project->runs;
  if (report_text_delivery(session, &delivery, problem) < 0)
    return -1;
  add_delivery(&project->delivery, delivery);
  int result = name_project(project, session, delivery);
  json_object_put(delivery);
  return result < 0 ? problem_no_memory(problem)
                    : agent_rows_read(&project->rows, session, name, problem);
}

static struct share share_between(const struct runs *runs, int64_t since_s, int64_t until_s) {
  struct run_slice slice = runs_between(runs_all(runs), since_s, until_s);
  struct share share = {.count = slice.count};

  for (size_t i = 0; i < slice.count; i++)
    share.successes += slice.list[i].success;
  return share;
}

static struct report_period period_of(const struct report_project *project, int64_t length_s) {
  const struct window *window = &project->rows.window;
  int64_t now_s = time_text_now_ns() / 1000000000;
  int64_t from_s = (window->has_until && window->until_s < now_s ? window->until_s : now_s);

  return (struct report_period){
      .recent = share_between(&project->runs, from_s - length_s, INT64_MAX),
      .before = share_between(&project->runs, INT64_MIN, from_s - length_s),
  };
}

/* What got better is no reason to come late: it may still be bad. */
static int rank_of(const struct agent_row *row) {
  int score = figures_change_score(&row->answer.changes);

  return score < 0 ? score : 0;
}

static int compare_badness(const void *one, const void *other) {
  const struct agent_row *a = one, *b = other;
  double low, a_high, b_high;

  if (rank_of(a) != rank_of(b))
    return rank_of(a) - rank_of(b);
  share_interval(a->answer.last_20, &low, &a_high);
  share_interval(b->answer.last_20, &low, &b_high);
  if (a_high < b_high || a_high > b_high)
    return a_high < b_high ? -1 : 1;
  int by_name = strcmp(a->agent, b->agent);
  return by_name != 0 || !a->root ? by_name : strcmp(a->root, b->root);
}

int report_project_finish(struct report_project *project, struct problem *problem) {
  struct agent_rows *rows = &project->rows;

  if (!project->name) { /* the file of roots has none that can be opened */
    project->name = strdup("no project");
    if (!project->name)
      return problem_no_memory(problem);
  }
  runs_sort(&project->runs);
  if (rows->count > 1)
    qsort(rows->list, rows->count, sizeof *rows->list, compare_badness);
  for (size_t i = 0; i < rows->count; i++) {
    const struct figures_changes *changes = &rows->list[i].answer.changes;

    project->by_score[figures_change_score(changes) + FIGURES_ASPECTS]++;
    project->too_few += changes->success.verdict == CHANGE_TOO_FEW;
  }
  project->day = period_of(project, DAY_S);
  project->week = period_of(project, 7 * DAY_S);
  return figures_of(runs_all(&project->runs), &project->figures, problem);
}

size_t report_project_changed(const struct report_project *project) {
  return project->rows.count - project->by_score[FIGURES_ASPECTS];
}

void report_project_changes_text(const struct report_project *project,
                                 char out[REPORT_PROJECT_CHANGES_MAX]) {
  static const char *const names[REPORT_PROJECT_SCORES] = {
      "worse",  "with lower quality",  "slower", "more expensive", NULL, "cheaper",
      "faster", "with higher quality", "better"};
  /* in the order of their weight, the bad ones first */
  static const int order[] = {0, 1, 2, 3, 8, 7, 6, 5};
  size_t len = 0;

  snprintf(out, REPORT_PROJECT_CHANGES_MAX, "%s",
           project->too_few == project->rows.count ? "too few runs to tell" : "none changed");
  for (size_t i = 0; i < sizeof order / sizeof *order; i++)
    if (project->by_score[order[i]] > 0)
      len += (size_t)snprintf(out + len, REPORT_PROJECT_CHANGES_MAX - len, "%s%zu %s",
                              len > 0 ? ", " : "", project->by_score[order[i]], names[order[i]]);
}

void report_project_free(struct report_project *project) {
  free(project->name);
  free(project->root);
  agent_rows_free(&project->rows);
  runs_free(&project->runs);
  figures_free(&project->figures);
}
