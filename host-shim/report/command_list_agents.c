/* command_list_agents.c - one line for each agent of the project ("list").
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/output.h"
#include "base/table.h"
#include "host/command.h"
#include "host/report_text.h"
#include "report/report_commands.h"

static const struct command_example examples[] = {
    {"list", "every agent of this project"},
    {"list -o json", "for a program"},
    {NULL, NULL},
};

static const char *const json_members[] = {"agent",
                                           "execution_count",
                                           "success_rate",
                                           "avg_quality_score",
                                           "avg_execution_time_s",
                                           "last_execution",
                                           "trend",
                                           NULL};

static void print_json(struct json_object *agents, size_t count) {
  struct json_object *document = json_object_new_object();
  struct json_object *list = json_object_new_array();

  for (size_t i = 0; i < count; i++) {
    struct json_object *entry = json_object_new_object();

    for (const char *const *name = json_members; *name; name++)
      json_object_object_add(
          entry, *name,
          json_object_get(report_text_member(json_object_array_get_idx(agents, i), *name)));
    json_object_array_add(list, entry);
  }
  json_object_object_add(document, "agents", list);
  output_json(document);
}

static void add_row(struct table *table, struct json_object *agent) {
  struct json_object *trend = report_text_member(agent, "trend");
  double rate = report_text_number(agent, "success_rate", 0);

  table_cell(table, "%s", report_text_string(agent, "agent", ""));
  table_cell(table, "%" PRIu64, report_text_count(agent, "execution_count"));
  table_cell_styled(table, rate < 0.8 ? OUTPUT_YELLOW : OUTPUT_PLAIN, "%.1f %% %s", rate * 100,
                    table_trend_arrow(report_text_string(trend, "success_rate", "")));
  if (strcmp(report_text_string(trend, "quality_score", "unknown"), "unknown") == 0)
    table_cell(table, "%s",
               ""); /* no record carries one; the 0.0 in its place is for readers without a guard */
  else
    table_cell(table, "%.2f %s", report_text_number(agent, "avg_quality_score", 0),
               table_trend_arrow(report_text_string(trend, "quality_score", "")));
  table_cell(table, "%s", report_text_string(agent, "last_execution", ""));
}

static void print_text(struct json_object *agents, size_t count) {
  static const char *const headings[] = {"agent",    ">executions",    ">success",
                                         ">quality", "last execution", NULL};
  struct table table;

  table_init(&table, headings);
  for (size_t i = 0; i < count; i++)
    add_row(&table, json_object_array_get_idx(agents, i));
  table_print(&table);
}

static int run(const struct host *host) {
  struct session session;
  struct problem problem;
  struct json_object *report = NULL;

  if (session_open(host, &session, &problem) < 0)
    return output_problem(&problem);
  int result = report_text_delivery(&session, &report, &problem);
  if (result == 0) {
    struct json_object *agents = report_text_member(report, "agents");
    size_t count =
        json_object_is_type(agents, json_type_array) ? json_object_array_length(agents) : 0;

    if (output_is_json())
      print_json(agents, count);
    else if (count > 0)
      print_text(agents, count);
    else
      output_note("nothing is recorded in %s", session.project_root);
  }
  json_object_put(report);
  session_close(&session);
  return result < 0 ? output_problem(&problem) : EXIT_CODE_OK;
}

const struct command command_list_agents = {
    .name = "list",
    .synopsis = "",
    .summary = "the project's agents, one line each",
    .examples = examples,
    .run = run,
};
