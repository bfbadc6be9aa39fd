/* agent_rows.c - how every agent of a project performs, one row each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/agent_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "report/agent_history.h"

struct reading {
  struct agent_rows *rows;
  struct session *session;
  const char *project;
};

static void free_row(struct agent_row *row) {
  free(row->root);
  free(row->project);
  free(row->agent);
  agent_answer_free(&row->answer);
}

static struct agent_row *new_row(struct agent_rows *rows) {
  if (rows->count == rows->room) {
    size_t room = rows->room == 0 ? 16 : rows->room * 2;
    struct agent_row *list = reallocarray(rows->list, room, sizeof *list);

    if (!list)
      return NULL;
    rows->list = list;
    rows->room = room;
  }
  return &rows->list[rows->count];
}

static int name_row(struct agent_row *row, const struct reading *reading, const char *agent) {
  *row = (struct agent_row){.agent = strdup(agent), .summary.struct_size = sizeof row->summary};
  if (reading->project) {
    row->project_number = reading->rows->projects;
    row->root = strdup(reading->session->project_root);
    row->project = strdup(reading->project);
  }
  return row->agent && (!reading->project || (row->root && row->project)) ? 0 : -1;
}

static int fill_row(struct agent_row *row, const struct reading *reading, struct problem *problem) {
  struct session *session = reading->session;
  struct agent_rows *rows = reading->rows;
  const struct kaizen_inspect_1 *inspect = session_extension(session, KAIZEN_INSPECT_1, problem);

  if (!inspect || agent_answer_read(session, row->agent, &rows->window, &row->answer, problem) < 0)
    return -1;
  int32_t code = inspect->summary(session->instance, row->agent, KAIZEN_NTS, &row->summary);
  if (code < 0)
    return session_failed(session, row->agent, code, problem);
  if (rows->all && runs_append(rows->all, &row->answer.runs.names, row->answer.chosen) < 0)
    return problem_no_memory(problem);
  agent_answer_forget_runs(&row->answer);
  return 0;
}

static int read_agent(void *ctx, const char *agent, struct problem *problem) {
  struct reading *reading = ctx;
  struct agent_row *row = new_row(reading->rows);

  if (!row)
    return problem_no_memory(problem);
  if (name_row(row, reading, agent) < 0) {
    free_row(row);
    return problem_no_memory(problem);
  }
  if (fill_row(row, reading, problem) < 0) {
    unreadable_add(&reading->rows->unreadable, row->root, agent, problem);
    free_row(row);
    return 0;
  }
  reading->rows->count++;
  return 0;
}

int agent_rows_read(struct agent_rows *rows, struct session *session, const char *project,
                    struct problem *problem) {
  struct reading reading = {.rows = rows, .session = session, .project = project};

  rows->projects++;
  return agent_history_each(session, read_agent, &reading, problem);
}

void agent_rows_free(struct agent_rows *rows) {
  for (size_t i = 0; i < rows->count; i++)
    free_row(&rows->list[i]);
  free(rows->list);
  rows->list = NULL;
  rows->count = rows->room = 0;
}

void agent_rows_label(const struct agent_row *row, char out[AGENT_ROWS_LABEL_MAX]) {
  snprintf(out, AGENT_ROWS_LABEL_MAX, "%s%s%s", row->project ? row->project : "",
           row->project ? "/" : "", row->agent);
}

void agent_rows_add_json(const struct agent_row *row, struct json_object *object) {
  if (row->root) {
    json_object_object_add(object, "project", json_text_new_string(row->project));
    json_object_object_add(object, "project_root", json_text_new_string(row->root));
  }
  json_object_object_add(object, "agent", json_text_new_string(row->agent));
}
