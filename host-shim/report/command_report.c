/* command_report.c - one page about a project, or many: for a browser, a terminal or a program.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/amount_text.h"
#include "base/json_text.h"
#include "base/output.h"
#include "base/output_file.h"
#include "base/table.h"
#include "base/utf8_text.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/roots.h"
#include "report/figures_json.h"
#include "report/report_commands.h"
#include "report/report_page.h"
#include "report/report_project.h"
#include "report/report_reader.h"

static const struct option_spec own_options[] = {
    {"html", 0, OPTION_FILE, "FILE", "write an HTML page; - is standard output"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"report --html report.html", "one HTML file: what changed, charts, costs, failures"},
    {"report --html week.html --since 7d", "this week only"},
    {"report --html all.html --roots /etc/kaizen-host/roots", "every project of this machine"},
    {"report", "a short form on the terminal"},
    {NULL, NULL},
};

enum { SPARK_MAX = 40, FAILURES_TOLD = 3, REASON_COLUMNS_MAX = 80 };

/* ---- on a terminal --------------------------------------------------------------------------- */

static void print_runs(struct share share) {
  char success[AMOUNT_TEXT_MAX];

  amount_text_percent(share_rate(share), 1, success);
  printf("%zu run%s", share.count, output_plural(share.count));
  if (share.count > 0)
    printf(", %s success", success);
}

static void print_total(const struct report_project *project) {
  const struct figures *figures = &project->figures;
  char changes[REPORT_PROJECT_CHANGES_MAX], cost[AMOUNT_TEXT_MAX];

  printf("%s", output_style(OUTPUT_BOLD));
  utf8_text_print(stdout, project->name);
  printf("%s  %zu agent%s, ", output_style_end(), project->rows.count,
         output_plural(project->rows.count));
  print_runs(figures->share);
  report_project_changes_text(project, changes);
  printf(", %s", changes);
  amount_text_usd(figures->cost_usd.sum, 2, cost);
  if (figures->cost_usd.count > 0)
    printf(", %s", cost);
  putchar('\n');
}

static void print_agent(const struct agent_row *row, const struct agent_answer *answer,
                        const struct report_failures *failures) {
  struct run_slice last = runs_last(answer->chosen, SPARK_MAX);
  enum figures_aspect foremost = figures_change_foremost(&answer->changes);
  enum output_style style = figures_change_style(&answer->changes, foremost);
  char change[FIGURES_CHANGE_MAX], label[AGENT_ROWS_LABEL_MAX];

  agent_rows_label(row, label);
  figures_change_text(&answer->changes, foremost, change);
  printf("%s", output_style(OUTPUT_BOLD));
  utf8_text_print(stdout, label);
  printf("%s  ", output_style_end());
  print_runs(answer->figures.share);
  if (last.count > 0)
    printf(", %s%s%s\n  ", output_style(style), change,
           style != OUTPUT_PLAIN ? output_style_end() : "");
  for (size_t i = 0; i < last.count; i++)
    fputs(table_spark(last.list[i].success), stdout);
  putchar('\n');
  for (size_t i = 0; i < failures->count && i < FAILURES_TOLD; i++) {
    const char *reason = failures->list[i].reason;

    reason = reason[0] != '\0' ? reason : "no reason given";
    utf8_text_printf("  failed %s  %.*s", failures->list[i].ended,
                     (int)utf8_text_bytes(reason, REASON_COLUMNS_MAX), reason);
    putchar('\n');
  }
}

/* ---- for a program --------------------------------------------------------------------------- */

static struct json_object *failures_json(const struct report_failures *failures) {
  struct json_object *list = json_object_new_array();

  for (size_t i = 0; i < failures->count; i++) {
    struct json_object *failure = json_object_new_object();

    json_object_object_add(failure, "timestamp", json_text_new_string(failures->list[i].ended));
    json_object_object_add(failure, "reason", json_text_new_string(failures->list[i].reason));
    json_object_object_add(failure, "session_id",
                           json_text_new_string(failures->list[i].session_id));
    json_object_array_add(list, failure);
  }
  return list;
}

static struct json_object *agent_json(const struct agent_row *row,
                                      const struct agent_answer *answer,
                                      const struct report_failures *failures) {
  struct json_object *entry = json_object_new_object();

  agent_rows_add_json(row, entry);
  json_object_object_add(entry, "summary", report_text_summary(&row->summary));
  json_object_object_add(entry, "last_failures", failures_json(failures));
  agent_answer_add_json(answer, entry);
  return entry;
}

static struct json_object *period_json(const struct report_period *period) {
  struct json_object *object = json_object_new_object();

  json_object_object_add(object, "recent", figures_json_share(period->recent));
  json_object_object_add(object, "before", figures_json_share(period->before));
  return object;
}

static void print_json(const struct report_project *project, const char *file,
                       struct json_object *agents) {
  struct json_object *document = json_object_new_object();

  json_object_object_add(document, "html", file ? json_text_new_string(file) : NULL);
  json_object_object_add(document, "figures",
                         figures_json(&project->figures, &project->runs.names));
  json_object_object_add(document, "last_24_hours", period_json(&project->day));
  json_object_object_add(document, "last_7_days", period_json(&project->week));
  json_object_object_add(document, "agents", agents);
  json_object_object_add(document, "window", window_json(&project->rows.window));
  unreadable_add_json(project->rows.unreadable.list, document);
  output_json(document);
}

/* ---- the command ----------------------------------------------------------------------------- */

static int add_project(void *ctx, struct session *session, const char *name,
                       struct problem *problem) {
  return report_project_add(ctx, session, name, problem);
}

static int write_page(const struct host *host, struct report_project *project, const char *file,
                      struct problem *problem) {
  char *text = NULL;
  size_t len = 0;
  FILE *out = open_memstream(&text, &len);

  if (!out)
    return problem_no_memory(problem);
  int result = report_page_print(out, host, project, problem);
  if (fclose(out) != 0 && result == 0)
    result = problem_no_memory(problem);
  if (result == 0)
    result = output_file_write(file, text, len, problem);
  free(text);
  return result;
}

/* Reads every agent again, in the order of the report: printed as text, or added to `agents`. */
static void tell_agents(const struct host *host, struct report_project *project,
                        struct json_object *agents) {
  struct report_reader reader = {.host = host};

  for (size_t i = 0; i < project->rows.count; i++) {
    const struct agent_row *row = &project->rows.list[i];
    struct report_failures failures;
    struct agent_answer answer;
    struct problem problem;

    if (report_reader_read(&reader, row, &project->rows.window, &answer, &failures, &problem) < 0) {
      unreadable_add(&project->rows.unreadable, row->root, row->agent, &problem);
      continue;
    }
    if (agents)
      json_object_array_add(agents, agent_json(row, &answer, &failures));
    else
      print_agent(row, &answer, &failures);
    agent_answer_free(&answer);
  }
  report_reader_close(&reader);
}

static int report_all(const struct host *host, struct report_project *project, const char *file,
                      struct problem *problem) {
  if (file && write_page(host, project, file, problem) < 0)
    return -1;
  if (output_is_json()) {
    struct json_object *agents = json_object_new_array();

    tell_agents(host, project, agents);
    print_json(project, file, agents);
  } else if (file && !output_file_is_stdout(file)) {
    output_note("%s: %zu agent%s", file, project->rows.count, output_plural(project->rows.count));
  } else if (!file) {
    if (project->rows.count > 1)
      print_total(project);
    tell_agents(host, project, NULL);
    if (project->rows.count == 0 && !project->rows.unreadable.list && project->rows.projects > 0)
      output_note("nothing is recorded in %s", project->root ? project->root : project->name);
  }
  return 0;
}

static int run(const struct host *host) {
  struct report_project project = {.name = NULL};
  struct problem problem;
  const char *file = options_text(host->arguments, "html", NULL);

  if (file && output_is_json() && output_file_is_stdout(file)) {
    problem_set(&problem, EXIT_CODE_USAGE,
                "report: --html %s and -o json both need standard output", file);
    return output_problem(&problem);
  }
  int result = window_read(host->arguments, &project.rows.window, &problem);
  if (result == 0)
    result = roots_each(host, add_project, &project, &project.rows.unreadable, &problem);
  if (result == 0)
    result = report_project_finish(&project, &problem);
  if (result == 0)
    result = report_all(host, &project, file, &problem);
  report_project_free(&project);
  int status = unreadable_finish(&project.rows.unreadable);
  return result < 0 ? output_problem(&problem) : status;
}

const struct command command_report = {
    .name = "report",
    .synopsis = "[OPTIONS]",
    .summary = "report on the project, the worst agents first",
    .details =
        "The worst are those whose success got worse, then those of lower quality, then those "
        "that became slower, then those that became more expensive.  On the terminal the bars are "
        "the last 40 runs, the newest on "
        "the right.  Times of day are UTC.",
    .examples = examples,
    .option_groups = {own_options, window_options, roots_options},
    .only_reads = true,
    .run = run,
};
