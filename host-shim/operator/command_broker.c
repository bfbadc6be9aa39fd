/* command_broker.c - check the broker, create its stream.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/output.h"
#include "host/command.h"
#include "operator/broker_report.h"
#include "operator/operator_commands.h"

enum { WORD_CHECK, WORD_INIT };
enum { REPLICAS_MAX = 5 };

static const struct option_spec own_options[] = {
    {"stream", 0, OPTION_NAME, "NAME", "init: stream name; default: ACTIVITY_EVENTS"},
    {"replicas", 0, OPTION_COUNT, "N",
     "init: copies of the stream in a cluster, 1 to 5; default: 1"},
    {"dry-run", 0, OPTION_FLAG, NULL, "init: show what would be done, change nothing"},
    {"timeout", 't', OPTION_SECONDS, "S", "wait at most S seconds for the broker; default: 5"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"broker check", "can events be published?"},
    {"broker init --dry-run", "show the stream that would be created"},
    {"broker init --replicas 3", "create it, in a cluster"},
    {NULL, NULL},
};

/* Some of these end the connection instead of being answered. */
static int check_stream(const char *stream, struct problem *problem) {
  size_t len = strcspn(stream, " \t\r\n.*>/\\");

  if (stream[len] == '\0')
    return 0;
  return problem_set(
      problem, EXIT_CODE_USAGE,
      "--stream: '%s' has the character '%c'; no stream name may have white space or "
      "one of . * > / \\",
      stream, stream[len]);
}

static int check_given(const struct host *host, int word, struct problem *problem) {
  static const char *const init_only[] = {"stream", "replicas", "dry-run"};
  double replicas = options_number(host->arguments, "replicas", 1);

  for (size_t i = 0; word == WORD_CHECK && i < sizeof init_only / sizeof init_only[0]; i++)
    if (options_given(host->arguments, init_only[i]))
      return problem_set(problem, EXIT_CODE_USAGE, "broker check: --%s is an option of broker init",
                         init_only[i]);
  if (replicas < 1 || replicas > REPLICAS_MAX)
    return problem_set(problem, EXIT_CODE_USAGE, "--replicas: %.0f is not from 1 to %d", replicas,
                       REPLICAS_MAX);
  return check_stream(options_text(host->arguments, "stream", ""), problem);
}

static int run_opened(const struct host *host, int word, struct session *session,
                      struct problem *problem) {
  const struct arguments *arguments = host->arguments;
  const struct broker_report_init init = {
      .stream = options_text(arguments, "stream", NULL),
      .replicas = (uint32_t)options_number(arguments, "replicas", 1),
      .dry_run = options_given(arguments, "dry-run"),
      .timeout_s = options_number(arguments, "timeout", 5),
  };
  struct json_object *report = NULL;
  int result = word == WORD_CHECK ? broker_report_check(session, init.timeout_s, &report, problem)
                                  : broker_report_init(session, &init, &report, problem);
  if (!report)
    return output_problem(problem);
  if (output_is_json())
    output_json(json_object_get(report));
  else
    broker_report_print(report);
  json_object_put(report);
  if (result < 0)
    output_error("%s", problem->text);
  return result < 0 ? (int)problem->exit_code : EXIT_CODE_OK;
}

static int run(const struct host *host) {
  struct session session;
  struct problem problem;
  int word = command_choose_word(&command_broker, host, &problem);

  if (word < 0 || check_given(host, word, &problem) < 0 ||
      session_open(host, &session, &problem) < 0)
    return output_problem(&problem);
  int status = run_opened(host, word, &session, &problem);
  session_close(&session);
  return status;
}

const struct command command_broker = {
    .name = "broker",
    .synopsis = "check|init [OPTIONS]",
    .summary = "check the broker, create its stream",
    .details =
        "init creates the stream ACTIVITY_EVENTS with the subjects activity.> and org.>, file "
        "storage and a deduplication window of one day, unless a stream already takes the subject.",
    .examples = examples,
    .option_groups = {own_options},
    .words = {"check", "init", NULL},
    .words_min = 1,
    .words_max = 1,
    .only_reads = true,
    .run = run,
};
