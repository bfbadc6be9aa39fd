/* command_list_agents.c - one line for each agent of the project ("list").
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/output.h"
#include "base/table.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/roots.h"
#include "report/agent_columns.h"
#include "report/agent_rows.h"
#include "report/report_commands.h"

static const struct option_spec own_options[] = {
    {"columns", 0, OPTION_TEXT, "LIST", "columns to print, separated by commas; or 'all'"},
    {"sort", 0, OPTION_TEXT, "COLUMN", "sort by a column; -COLUMN reverses"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"list", "every agent of this project"},
    {"list --since 7d --sort success", "this week, the worst first"},
    {"list --columns agent,success,cost,model,reason --sort -cost",
     "the most expensive first, with reasons for failures"},
    {"list --roots /etc/kaizen-host/roots --sort success", "every project of this machine"},
    {"list -o json", "for a program"},
    {NULL, NULL},
};

static const char default_columns[] = "agent,runs,success,last20,week,quality,last,change";
static const char columns_of_many[] = "project,agent,runs,success,last20,week,last,change";

struct list {
  struct agent_rows rows;
  struct agent_columns columns;
  const struct agent_column *sort;
  int sign; /* -1: the other way round */
};

/* ---- what is shown --------------------------------------------------------------------------- */

static enum output_style style_of(const struct agent_column *column, const struct agent_row *row) {
  const struct figures_changes *changes = &row->answer.changes;

  if (strcmp(column->name, "change") == 0)
    return figures_change_style(changes, figures_change_foremost(changes));
  return column->kind == AGENT_COLUMN_PERCENT && column->number(row) < 0.8 ? OUTPUT_YELLOW
                                                                           : OUTPUT_PLAIN;
}

static void print_text(const struct list *list) {
  const char *headings[AGENT_COLUMNS_MAX + 1] = {NULL};
  char text[AGENT_COLUMNS_TEXT_MAX];
  struct table table;

  for (size_t i = 0; i < list->columns.count; i++)
    headings[i] = list->columns.list[i]->heading;
  table_init(&table, headings);
  for (size_t row = 0; row < list->rows.count; row++)
    for (size_t i = 0; i < list->columns.count; i++) {
      const struct agent_column *column = list->columns.list[i];

      agent_columns_text(column, &list->rows.list[row], text);
      table_cell_styled(&table, style_of(column, &list->rows.list[row]), "%s", text);
    }
  table_print(&table);
}

static struct json_object *row_json(const struct agent_row *row) {
  struct json_object *entry = json_object_new_object();
  struct json_object *summary = report_text_summary(&row->summary);
  struct json_object_iter member;

  agent_rows_add_json(row, entry);
  json_object_object_foreachC(summary, member) {
    json_object_object_add(entry, member.key, json_object_get(member.val));
  }
  json_object_put(summary);
  agent_answer_add_json(&row->answer, entry);
  return entry;
}

static void print_json(const struct list *list) {
  struct json_object *document = json_object_new_object();
  struct json_object *agents = json_object_new_array();

  for (size_t i = 0; i < list->rows.count; i++)
    json_object_array_add(agents, row_json(&list->rows.list[i]));
  json_object_object_add(document, "agents", agents);
  json_object_object_add(document, "window", window_json(&list->rows.window));
  unreadable_add_json(list->rows.unreadable.list, document);
  output_json(document);
}

/* ---- the command ----------------------------------------------------------------------------- */

static int list_project(void *ctx, struct session *session, const char *project,
                        struct problem *problem) {
  struct list *list = ctx;

  if (agent_rows_read(&list->rows, session, project, problem) < 0)
    return -1;
  if (!project && list->rows.count == 0 && !list->rows.unreadable.list && !output_is_json())
    output_note("nothing is recorded in %s", session->project_root);
  return 0;
}

static int compare_rows(const void *one, const void *other, void *ctx) {
  const struct list *list = ctx;

  return agent_columns_compare(list->sort, list->sign, one, other);
}

static int read_options(struct list *list, const struct host *host, struct problem *problem) {
  const char *all = roots_are_given(host) ? columns_of_many : default_columns;
  const char *by = options_text(host->arguments, "sort", "agent");
  struct agent_columns sort;

  list->sign = by[0] == '-' ? -1 : 1;
  if (window_read(host->arguments, &list->rows.window, problem) < 0 ||
      agent_columns_choose(options_text(host->arguments, "columns", all), "columns", &list->columns,
                           problem) < 0 ||
      agent_columns_choose(by + (by[0] == '-'), "sort", &sort, problem) < 0)
    return -1;
  list->sort = sort.list[0];
  return sort.count == 1 ? 0
                         : problem_set(problem, EXIT_CODE_USAGE, "--sort %s: name one column", by);
}

static int run(const struct host *host) {
  struct list list = {.sign = 1};
  struct problem problem;

  int result = read_options(&list, host, &problem);
  if (result == 0)
    result = roots_each(host, list_project, &list, &list.rows.unreadable, &problem);
  if (list.rows.count > 1)
    qsort_r(list.rows.list, list.rows.count, sizeof *list.rows.list, compare_rows, &list);
  if (result == 0 && output_is_json())
    print_json(&list);
  else if (result == 0 && list.rows.count > 0)
    print_text(&list);
  agent_rows_free(&list.rows);
  int status = unreadable_finish(&list.rows.unreadable);
  return result < 0 ? output_problem(&problem) : status;
}

const struct command command_list_agents = {
    .name = "list",
    .synopsis = "[OPTIONS]",
    .summary = "list the project's agents",
    .details =
        "The columns are agent, runs, success, last20, week, quality, p50, p90, p95, "
        "tokens, cost, run-cost, primary, per-day, model, reason, last and change; with "
        "--roots also project and root.  change is shown only if it is significant.  It "
        "is the first of: success worse, quality lower, slower, more expensive; success better, "
        "quality higher, faster, cheaper.  'show' has all.",
    .examples = examples,
    .option_groups = {window_options, own_options, roots_options},
    .only_reads = true,
    .run = run,
};
