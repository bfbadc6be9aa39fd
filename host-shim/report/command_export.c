/* command_export.c - prints the log's records, as they are or for other programs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/output.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/unreadable.h"
#include "report/agent_answer.h"
#include "report/agent_history.h"
#include "report/export_format.h"
#include "report/report_commands.h"

static const struct option_spec own_options[] = {
    {"all", 'a', OPTION_FLAG, NULL, "all agents, one after the other"},
    {"last", 'n', OPTION_COUNT, "N", "only the last N records of each agent; 0: all"},
    {"format", 0, OPTION_CHOICE, EXPORT_FORMAT_WORDS, "output format; default: jsonl"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"export coach > coach.jsonl", "one agent's records as JSON Lines"},
    {"export --all | gzip > project.jsonl.gz", "all agents"},
    {"export --all --since 7d --format csv > week.csv", "this week, for a spreadsheet"},
    {NULL, NULL},
};

struct export {
  struct session session;
  struct window window;
  struct export_writer writer;
  int write_error;  /* errno of a write that failed */
  uint64_t refused; /* lines that the format cannot express */
  struct unreadable unreadable;
};

static int32_t write_line(void *ctx, const char *data, size_t len) {
  struct export *export = ctx;

  export->refused += export_format_record(&export->writer, data, len) < 0;
  if (!ferror(export->writer.out))
    return 0;
  export->write_error = errno;
  return -1;
}

static int export_agent(void *ctx, const char *agent, struct problem *problem) {
  struct export *export = ctx;

  export->writer.agent = agent;
  uint64_t undated = 0;
  int result = agent_history_query(&export->session, agent, &export->window, write_line, export,
                                   &undated, problem);

  if (result == 0 && undated > 0)
    output_warning("%s: %" PRIu64 " record%s without a readable time %s in no range of times: left "
                   "out",
                   agent, undated, output_plural(undated), undated == 1 ? "is" : "are");
  if (ferror(export->writer.out))
    return problem_set(problem, EXIT_CODE_FAILED, "cannot write to standard output: %s",
                       strerror(export->write_error));
  return result;
}

/* Of all agents: one that cannot be read does not hide the others. */
static int export_each(void *ctx, const char *agent, struct problem *problem) {
  struct export *export = ctx;

  if (export_agent(export, agent, problem) == 0)
    return 0;
  if (ferror(export->writer.out))
    return -1;
  unreadable_add(&export->unreadable, NULL, agent, problem);
  return 0;
}

static int check_given(struct export *export, const struct host *host, struct problem *problem) {
  if ((command_word(host, 0) != NULL) == options_given(host->arguments, "all"))
    return problem_set(problem, EXIT_CODE_USAGE, "export: name one agent, or --all");
  export->writer.out = stdout;
  export->writer.format = export_format_named(options_text(host->arguments, "format", "jsonl"));
  return window_read(host->arguments, &export->window, problem);
}

static int export_opened(struct export *export, const char *agent, struct problem *problem) {
  struct json_object *settings = NULL;

  if (report_text_config(&export->session, &settings, problem) < 0)
    return -1;
  export->writer.project = report_text_string(report_text_member(settings, "project"), "value", "");
  export_format_begin(&export->writer);
  int result = agent ? export_agent(export, agent, problem)
                     : agent_history_each(&export->session, export_each, export, problem);
  if (result == 0 && export->refused > 0)
    result = problem_set(problem, EXIT_CODE_FAILED,
                         "%" PRIu64 " record%s left out: not strict JSON; --format jsonl has them",
                         export->refused, output_plural(export->refused));
  json_object_put(settings);
  return result;
}

static int run(const struct host *host) {
  struct export export = {.refused = 0};
  struct problem problem;

  if (check_given(&export, host, &problem) < 0 || session_open(host, &export.session, &problem) < 0)
    return output_problem(&problem);
  int result = export_opened(&export, command_word(host, 0), &problem);
  session_close(&export.session);
  int status = unreadable_finish(&export.unreadable);
  return result < 0 ? output_problem(&problem) : status;
}

const struct command command_export = {
    .name = "export",
    .synopsis = "AGENT|--all [OPTIONS]",
    .summary = "print the log as JSON Lines, CSV, CloudEvents or OTLP spans",
    .details = "jsonl prints the records as they are in the log, also with -o json; 'replay' reads "
               "them back.  cloudevents and otlp-json print one JSON object per line.",
    .examples = examples,
    .option_groups = {own_options, window_range_options},
    .takes_agent = true,
    .words_max = 1,
    .only_reads = true,
    .run = run,
};
