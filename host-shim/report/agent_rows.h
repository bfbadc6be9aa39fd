/* agent_rows.h - how every agent of a project performs, one row each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_AGENT_ROWS_H
#define KAIZEN_HOST_AGENT_ROWS_H

#include "host/unreadable.h"
#include "report/agent_answer.h"

struct agent_row {
  char *root, *project;  /* of the project; NULL unless the rows are of several, and then */
  size_t project_number; /* it has a number from 1 */
  char *agent;
  struct agent_answer answer;    /* without its single runs */
  struct kaizen_summary summary; /* of the whole log, as summary.json has it */
};

struct agent_rows { /* zero it first */
  struct agent_row *list;
  size_t count, room;
  size_t projects;
  struct window window;
  struct runs *all; /* NULL, or gathers the chosen runs of every agent: runs_sort() then */
  struct unreadable unreadable;
};

/* Adds the agents of a project, by name.  `project` is its name when the rows are of several, else
 * NULL.  An agent that cannot be read is listed as unreadable and hides no other. */
int agent_rows_read(struct agent_rows *rows, struct session *session, const char *project,
                    struct problem *problem);
/* Frees all except the list of what could not be read. */
void agent_rows_free(struct agent_rows *rows);

/* "AGENT", or "PROJECT/AGENT" where the rows are of several projects. */
enum { AGENT_ROWS_LABEL_MAX = 384 };
void agent_rows_label(const struct agent_row *row, char out[AGENT_ROWS_LABEL_MAX]);

/* Adds "agent" and, where the rows are of several projects, "project" and "project_root". */
void agent_rows_add_json(const struct agent_row *row, struct json_object *object);

#endif
