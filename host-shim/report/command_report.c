/* command_report.c - one page about the project: for a browser, a terminal or a program.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/output.h"
#include "base/output_file.h"
#include "base/table.h"
#include "base/utf8_text.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/unreadable.h"
#include "report/agent_answer.h"
#include "report/agent_history.h"
#include "report/report_commands.h"
#include "report/report_data.h"
#include "report/report_html.h"

static const struct option_spec own_options[] = {
    {"html", 0, OPTION_FILE, "FILE", "write a page for a browser; - for standard output"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"report --html report.html", "one self-contained page: charts, failures, pending events"},
    {"report", "the same in short, on the terminal"},
    {NULL, NULL},
};

struct report {
  struct session session;
  struct window window;
  FILE *html;                   /* NULL: none asked for */
  struct json_object *delivery; /* for it */
  struct json_object *agents;   /* for -o json */
  size_t count;
  struct unreadable unreadable;
};

enum { SPARK_MAX = 40 };

static void print_text(const char *agent, const struct report_data *data,
                       const struct agent_answer *answer) {
  size_t first = data->sample_count > SPARK_MAX ? data->sample_count - SPARK_MAX : 0;
  size_t count = answer->figures.share.count;
  char change[FIGURES_CHANGE_MAX];

  figures_change_text(&answer->changes, change);
  printf("%s", output_style(OUTPUT_BOLD));
  utf8_text_print(stdout, agent);
  printf("%s  %zu execution%s, %.1f %% success, %s\n  ", output_style_end(), count,
         output_plural(count), share_rate(answer->figures.share) * 100, change);
  for (size_t i = first; i < data->sample_count; i++)
    fputs(table_spark(data->samples[i].success), stdout);
  putchar('\n');
  for (size_t i = 0; i < data->failure_count && i < 3; i++) {
    printf("  failed %s  ", data->failures[i].ended);
    utf8_text_print(stdout, data->failures[i].reason);
    putchar('\n');
  }
}

static struct json_object *failures_json(const struct report_data *data) {
  struct json_object *failures = json_object_new_array();

  for (size_t i = 0; i < data->failure_count; i++) {
    struct json_object *failure = json_object_new_object();

    json_object_object_add(failure, "timestamp", json_text_new_string(data->failures[i].ended));
    json_object_object_add(failure, "reason", json_text_new_string(data->failures[i].reason));
    json_object_object_add(failure, "session_id",
                           json_text_new_string(data->failures[i].session_id));
    json_object_array_add(failures, failure);
  }
  return failures;
}

static void add_json(struct report *report, const char *agent, const struct report_data *data,
                     const struct agent_answer *answer) {
  struct json_object *entry = json_object_new_object();

  json_object_object_add(entry, "agent", json_text_new_string(agent));
  json_object_object_add(entry, "summary", report_text_summary(&data->summary));
  json_object_object_add(entry, "last_failures", failures_json(data));
  agent_answer_add_json(answer, entry);
  json_object_array_add(report->agents, entry);
}

static int report_agent(void *ctx, const char *agent, struct problem *problem) {
  struct report *report = ctx;
  struct report_data data;

  struct agent_answer answer;

  if (report_data_read(&report->session, agent, &report->window, &data, problem) < 0)
    return -1;
  if (agent_answer_read(&report->session, agent, &report->window, &answer, problem) < 0) {
    report_data_free(&data);
    return -1;
  }
  if (report->html)
    report_html_agent(report->html, report->delivery, agent, &data, &answer.changes);
  if (output_is_json())
    add_json(report, agent, &data, &answer);
  else if (!report->html)
    print_text(agent, &data, &answer);
  report->count++;
  report_data_free(&data);
  agent_answer_free(&answer);
  return 0;
}

/* One that cannot be read does not hide the others. */
static int report_each(void *ctx, const char *agent, struct problem *problem) {
  struct report *report = ctx;

  if (report_agent(report, agent, problem) < 0)
    unreadable_add(&report->unreadable, agent, problem);
  return 0;
}

static int write_html(struct report *report, const char *file, struct problem *problem) {
  char *text = NULL;
  size_t len = 0;

  if (report_text_delivery(&report->session, &report->delivery, problem) < 0)
    return -1;
  report->html = open_memstream(&text, &len);
  if (!report->html)
    return problem_no_memory(problem);
  report_html_begin(report->html, report->delivery);
  int result = agent_history_each(&report->session, report_each, report, problem);
  report_html_end(report->html);
  if (fclose(report->html) != 0 && result == 0)
    result = problem_no_memory(problem);
  if (result == 0)
    result = output_file_write(file, text, len, problem);
  free(text);
  return result;
}

static int report_opened(struct report *report, const char *file, struct problem *problem) {
  int result = file ? write_html(report, file, problem)
                    : agent_history_each(&report->session, report_each, report, problem);

  if (result < 0)
    return -1;
  if (output_is_json()) {
    struct json_object *document = json_object_new_object();

    json_object_object_add(document, "html", file ? json_text_new_string(file) : NULL);
    json_object_object_add(document, "agents", json_object_get(report->agents));
    json_object_object_add(document, "window", window_json(&report->window));
    unreadable_add_json(report->unreadable.list, document);
    output_json(document);
  } else if (file) {
    output_note("%s: %zu agent%s", file, report->count, output_plural(report->count));
  } else if (report->count == 0 && !report->unreadable.list) {
    output_note("nothing is recorded in %s", report->session.project_root);
  }
  return 0;
}

static int run(const struct host *host) {
  struct report report = {.html = NULL};
  struct problem problem;
  const char *file = options_text(host->arguments, "html", NULL);

  if (file && output_is_json() && output_file_is_stdout(file)) {
    problem_set(&problem, EXIT_CODE_USAGE,
                "report: --html %s and -o json both want standard output", file);
    return output_problem(&problem);
  }
  if (window_read(host->arguments, &report.window, &problem) < 0 ||
      session_open(host, &report.session, &problem) < 0)
    return output_problem(&problem);
  report.agents = json_object_new_array();
  int result = report_opened(&report, file, &problem);
  json_object_put(report.agents);
  json_object_put(report.delivery);
  session_close(&report.session);
  int status = unreadable_finish(&report.unreadable);
  return result < 0 ? output_problem(&problem) : status;
}

const struct command command_report = {
    .name = "report",
    .synopsis = "[OPTIONS]",
    .summary = "one page about the project",
    .examples = examples,
    .option_groups = {own_options, window_options},
    .only_reads = true,
    .run = run,
};
