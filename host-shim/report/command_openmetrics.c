/* command_openmetrics.c - the project's numbers as OpenMetrics text, for a textfile collector.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/output.h"
#include "base/output_file.h"
#include "base/time_text.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/session.h"
#include "host/unreadable.h"
#include "report/metrics_runs.h"
#include "report/metrics_text.h"
#include "report/report_commands.h"

static const struct option_spec own_options[] = {
    {"textfile", 0, OPTION_FILE, "FILE",
     "write this file, as a whole; for node_exporter its name ends in .prom"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"openmetrics", "to standard output"},
    {"openmetrics --textfile /var/lib/node_exporter/kaizen.prom", "from a timer"},
    {NULL, NULL},
};

/* All gauges: retention takes old records out of the log, and with them out of every count here. */
enum metric_kind { METRIC_NUMBER, METRIC_TIME };
static const struct metric {
  const char *name, *member, *help;
  enum metric_kind kind;
} metrics[] = {
    {"kaizen_executions", "execution_count", "Executions in the agent's log.", METRIC_NUMBER},
    {"kaizen_success_ratio", "success_rate", "Share of them that succeeded.", METRIC_NUMBER},
    {"kaizen_quality_score", "avg_quality_score", "Mean quality of those that carry one, 0 to 1.",
     METRIC_NUMBER},
    {"kaizen_execution_duration_mean_seconds", "avg_execution_time_s",
     "Mean duration of those that carry one.", METRIC_NUMBER},
    {"kaizen_last_execution_timestamp_seconds", "last_execution", "End of the latest execution.",
     METRIC_TIME},
    {"kaizen_events_marked", "marked", "Records in the log that are to be published.",
     METRIC_NUMBER},
    {"kaizen_events_acknowledged", "acknowledged", "Marked records that the broker acknowledged.",
     METRIC_NUMBER},
    {"kaizen_events_pending", "pending",
     "Marked records still to be acknowledged, held ones included.", METRIC_NUMBER},
    {"kaizen_events_held", "held", "Pending records that wait for an operator's decision.",
     METRIC_NUMBER},
    {"kaizen_events_dead_lettered", "dead_lettered",
     "Marked records that the broker refused for good.", METRIC_NUMBER},
    {"kaizen_oldest_pending_timestamp_seconds", "oldest_pending",
     "Time of the oldest pending record.", METRIC_TIME},
    {"kaizen_skipped_lines", "skipped_lines", "Lines of the log that are no records.",
     METRIC_NUMBER},
};

static bool read_value(struct json_object *agent, const struct metric *metric, double *value) {
  int64_t time_ns = 0;
  const char *text = report_text_string(agent, metric->member, NULL);

  if (metric->kind == METRIC_TIME) {
    if (!text || time_text_parse(text, &time_ns) < 0)
      return false;
    *value = (double)(time_ns / 1000000000);
    return true;
  }
  *value = report_text_number(agent, metric->member, -1);
  return *value >= 0;
}

static void print_metric(FILE *out, const struct metric *metric, struct json_object *report) {
  struct json_object *agents = report_text_member(report, "agents");

  metrics_text_begin(out, metric->name, "gauge", metric->help);
  for (size_t i = 0;
       json_object_is_type(agents, json_type_array) && i < json_object_array_length(agents); i++) {
    struct json_object *agent = json_object_array_get_idx(agents, i);
    double value = 0;
    if (!read_value(agent, metric, &value))
      continue;
    fprintf(out, "%s{", metric->name);
    metrics_text_label(out, "project", report_text_string(report, "project", ""), ",");
    metrics_text_label(out, "agent", report_text_string(agent, "agent", ""), "} ");
    metrics_text_value(out, value);
  }
}

static void print_all(FILE *out, const struct metrics_runs *runs, struct json_object *report) {
  const struct kaizen_plugin_v1 *plugin = runs->session->plugin.table;

  for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
    print_metric(out, &metrics[i], report);
  metrics_runs_print(out, runs, report_text_string(report, "project", ""));
  metrics_text_begin(out, "kaizen_unreadable_agents", "gauge",
                     "Agents whose events cannot be told and are missing here.");
  fputs("kaizen_unreadable_agents{", out);
  metrics_text_label(out, "project", report_text_string(report, "project", ""), "} ");
  metrics_text_value(out, (double)json_object_array_length(unreadable_in(report)));
  fputs("# HELP kaizen_plugin_info The plugin that read these numbers.\n# TYPE kaizen_plugin_info "
        "gauge\n"
        "kaizen_plugin_info{",
        out);
  metrics_text_label(out, "id", plugin->id, ",");
  metrics_text_label(out, "version", plugin->version, "} 1\n# EOF\n");
}

static int write_metrics(const struct metrics_runs *runs, struct json_object *report,
                         const char *file, struct problem *problem) {
  char *text = NULL;
  size_t len = 0;
  FILE *out = open_memstream(&text, &len);
  if (!out)
    return problem_no_memory(problem);
  print_all(out, runs, report);
  int result = ferror(out) != 0;
  result = fclose(out) != 0 || result ? problem_no_memory(problem) : 0;
  if (result == 0)
    result = output_file_write(file, text, len, problem);
  free(text);
  return result;
}

/* Counts of the whole log, of events, and of the runs that were chosen. */
static int read_metrics(struct metrics_runs *runs, struct json_object **report,
                        struct problem *problem) {
  if (report_text_delivery(runs->session, report, problem) < 0 ||
      metrics_runs_read(runs, problem) < 0)
    return -1;
  struct json_object *agents = report_text_member(*report, "agents");
  for (size_t i = 0;
       window_is_given(&runs->window) && json_object_is_type(agents, json_type_array) &&
       i < json_object_array_length(agents);
       i++)
    metrics_runs_narrow(runs, json_object_array_get_idx(agents, i));
  return 0;
}

static int run(const struct host *host) {
  struct session session;
  struct metrics_runs runs = {.session = &session};
  struct problem problem;
  struct json_object *report = NULL;

  if (window_read(host->arguments, &runs.window, &problem) < 0 ||
      session_open(host, &session, &problem) < 0)
    return output_problem(&problem);
  int result = read_metrics(&runs, &report, &problem);
  if (result == 0)
    result = write_metrics(&runs, report, options_text(host->arguments, "textfile", "-"), &problem);
  size_t unread = result == 0 ? unreadable_tell(unreadable_in(report)) : 0;
  json_object_put(report);
  session_close(&session);
  int status = metrics_runs_free(&runs);
  if (unread > 0)
    status = EXIT_CODE_FAILED;
  return result < 0 ? output_problem(&problem) : status;
}

const struct command command_openmetrics = {
    .name = "openmetrics",
    .synopsis = "[OPTIONS]",
    .summary = "the project's numbers for Prometheus",
    .details =
        "Every number is of what the log holds now: retention takes old records out of the log,\n"
        "and out of every count.  So they are gauges, and the histogram is to be used as it is,\n"
        "without rate().",
    .examples = examples,
    .option_groups = {own_options, window_options},
    .only_reads = true,
    .run = run,
};
