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
#include "host/roots.h"
#include "report/metrics_runs.h"
#include "report/metrics_text.h"
#include "report/report_commands.h"

static const struct option_spec own_options[] = {
    {"textfile", 0, OPTION_FILE, "FILE",
     "replace this file; for node_exporter it must end in .prom"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"openmetrics", "print to standard output"},
    {"openmetrics --textfile /var/lib/node_exporter/kaizen.prom", "write a file, from a timer"},
    {"openmetrics --roots /etc/kaizen-host/roots", "every project of this machine"},
    {NULL, NULL},
};

/* All are gauges: retention removes old records from the log, and so from every count here. */
enum metric_kind { METRIC_NUMBER, METRIC_TIME };
static const struct metric {
  const char *name, *member, *help;
  enum metric_kind kind;
} metrics_known[] = {
    {"kaizen_executions", "execution_count", "Runs in the agent's log.", METRIC_NUMBER},
    {"kaizen_last_execution_timestamp_seconds", "last_execution", "End of the latest run.",
     METRIC_TIME},
    {"kaizen_events_marked", "marked", "Records in the log that have an event to publish.",
     METRIC_NUMBER},
    {"kaizen_events_acknowledged", "acknowledged", "Marked records that the broker acknowledged.",
     METRIC_NUMBER},
    {"kaizen_events_pending", "pending",
     "Marked records that are not acknowledged yet, including those held back.", METRIC_NUMBER},
    {"kaizen_events_held", "held", "Pending records that are held back until an operator decides.",
     METRIC_NUMBER},
    {"kaizen_events_dead_lettered", "dead_lettered",
     "Marked records that the broker refused permanently.", METRIC_NUMBER},
    {"kaizen_oldest_pending_timestamp_seconds", "oldest_pending",
     "Time of the oldest pending record.", METRIC_TIME},
    {"kaizen_skipped_lines", "skipped_lines", "Lines of the log that are not records.",
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

struct openmetrics {
  struct metrics_runs *projects;
  size_t count;
  struct window window;
  struct unreadable unreadable;
  char plugin_id[64], plugin_version[64];
};

/* ---- read ------------------------------------------------------------------------------------ */

static int read_project(struct openmetrics *metrics, struct metrics_runs *project,
                        struct session *session, bool is_one_of_many, struct problem *problem) {
  if (report_text_delivery(session, &project->delivery, problem) < 0)
    return -1;
  project->project = strdup(report_text_string(project->delivery, "project", ""));
  project->root = is_one_of_many ? strdup(session->project_root) : NULL;
  if (!project->project || (is_one_of_many && !project->root))
    return problem_no_memory(problem);
  if (metrics_runs_read(project, session, &metrics->window, &metrics->unreadable, problem) < 0)
    return -1;
  if (window_is_given(&metrics->window))
    metrics_runs_narrow(project);
  return 0;
}

static int add_project(void *ctx, struct session *session, const char *name,
                       struct problem *problem) {
  struct openmetrics *metrics = ctx;
  struct metrics_runs project = {.list = NULL};
  struct metrics_runs *list = reallocarray(metrics->projects, metrics->count + 1, sizeof *list);

  if (!list)
    return problem_no_memory(problem);
  metrics->projects = list;
  snprintf(metrics->plugin_id, sizeof metrics->plugin_id, "%s", session->plugin.table->id);
  snprintf(metrics->plugin_version, sizeof metrics->plugin_version, "%s",
           session->plugin.table->version);
  if (read_project(metrics, &project, session, name != NULL, problem) < 0) {
    metrics_runs_free(&project);
    return -1;
  }
  list[metrics->count++] = project;
  return 0;
}

/* ---- printed --------------------------------------------------------------------------------- */

static void print_metric(FILE *out, const struct metric *metric,
                         const struct metrics_runs *project) {
  struct json_object *agents = report_text_member(project->delivery, "agents");

  for (size_t i = 0;
       json_object_is_type(agents, json_type_array) && i < json_object_array_length(agents); i++) {
    struct json_object *agent = json_object_array_get_idx(agents, i);
    double value = 0;
    if (!read_value(agent, metric, &value))
      continue;
    metrics_runs_begin_sample(out, metric->name, project, report_text_string(agent, "agent", ""));
    fputs("} ", out);
    metrics_text_value(out, value);
  }
}

static void print_unreadable(FILE *out, const struct openmetrics *metrics) {
  static const char name[] = "kaizen_unreadable_agents";

  metrics_text_begin(out, name, "gauge", "Agents whose events are unknown and not counted here.");
  for (size_t i = 0; i < metrics->count; i++) {
    const struct metrics_runs *project = &metrics->projects[i];

    fprintf(out, "%s{", name);
    if (project->root)
      metrics_text_label(out, "root", project->root, ",");
    metrics_text_label(out, "project", project->project, "} ");
    metrics_text_value(out, (double)json_object_array_length(unreadable_in(project->delivery)));
  }
}

static void print_all(FILE *out, const struct openmetrics *metrics) {
  for (size_t i = 0; i < sizeof metrics_known / sizeof *metrics_known; i++) {
    metrics_text_begin(out, metrics_known[i].name, "gauge", metrics_known[i].help);
    for (size_t project = 0; project < metrics->count; project++)
      print_metric(out, &metrics_known[i], &metrics->projects[project]);
  }
  metrics_runs_print(out, metrics->projects, metrics->count);
  print_unreadable(out, metrics);
  metrics_text_begin(out, "kaizen_plugin_info", "gauge", "The plugin that read these numbers.");
  fputs("kaizen_plugin_info{", out);
  metrics_text_label(out, "id", metrics->plugin_id, ",");
  metrics_text_label(out, "version", metrics->plugin_version, "} 1\n# EOF\n");
}

static int write_metrics(const struct openmetrics *metrics, const char *file,
                         struct problem *problem) {
  char *text = NULL;
  size_t len = 0;
  FILE *out = open_memstream(&text, &len);
  if (!out)
    return problem_no_memory(problem);
  print_all(out, metrics);
  int result = ferror(out) != 0;
  result = fclose(out) != 0 || result ? problem_no_memory(problem) : 0;
  if (result == 0)
    result = output_file_write(file, text, len, problem);
  free(text);
  return result;
}

static int run(const struct host *host) {
  struct openmetrics metrics = {.projects = NULL};
  struct problem problem;
  size_t unread = 0;

  int result = window_read(host->arguments, &metrics.window, &problem);
  if (result == 0)
    result = roots_each(host, add_project, &metrics, &metrics.unreadable, &problem);
  if (result == 0)
    result = write_metrics(&metrics, options_text(host->arguments, "textfile", "-"), &problem);
  for (size_t i = 0; i < metrics.count; i++) {
    unread += result == 0 ? unreadable_tell(unreadable_in(metrics.projects[i].delivery)) : 0;
    metrics_runs_free(&metrics.projects[i]);
  }
  free(metrics.projects);
  int status = unreadable_finish(&metrics.unreadable);
  if (unread > 0)
    status = EXIT_CODE_FAILED;
  return result < 0 ? output_problem(&problem) : status;
}

const struct command command_openmetrics = {
    .name = "openmetrics",
    .synopsis = "[OPTIONS]",
    .summary = "print the project's figures for Prometheus",
    .details =
        "All figures count what is in the log now: retention removes old records from the log and "
        "from every count.  So they are gauges, and the histogram is used without rate().",
    .examples = examples,
    .option_groups = {own_options, window_options, roots_options},
    .only_reads = true,
    .run = run,
};
