/* command_exec.c - run a command, record its duration and outcome.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/output.h"
#include "host/command.h"
#include "host/record_call.h"
#include "host/record_request.h"
#include "record/child.h"
#include "record/exec_span.h"
#include "record/record_commands.h"
#include "record/result.h"
#include "record/result_capture.h"
#include "record/result_quality.h"

static const double QUALITY_TIMEOUT_S = 30;

static const struct option_spec own_options[] = {
    {"timeout", 0, OPTION_PERIOD, "S",
     "stop the command after S seconds; that is a failure with error_type timeout"},
    {"result", 0, OPTION_CHOICE, RESULT_FORMATS,
     "read outcome, duration, tokens, cost and key from the JSON that the command prints"},
    {"quality-cmd", 0, OPTION_NAME, "CMD",
     "run CMD with sh afterwards; it prints the quality, from 0 to 1"},
    {"quality-timeout", 0, OPTION_PERIOD, "S", "stop CMD after S seconds; default: 30"},
    {"aborted", 0, OPTION_CHOICE, "skip|failure",
     "how to record a run ended by Ctrl-C or SIGTERM; skip: not at all"},
    {"require-record", 0, OPTION_FLAG, NULL, "exit with 125 if a successful run is not recorded"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"exec coach -- make test", "exit status 0 is a success"},
    {"exec nightly --quality 0.9 --emit-event -- ./run-agent --all", "with options of record"},
    {"exec deploy --aborted failure -- ./deploy.sh", "record Ctrl-C as a failure"},
    {"exec fixer --result claude-json --quality-cmd ./judge.sh -- claude -p --output-format json "
     "'fix it'",
     "the agent's own figures, and the quality from a script"},
    {NULL, NULL},
};

static int exit_status(const struct child_result *result) {
  if (result->exec_error != 0)
    return result->exec_error == ENOENT ? EXIT_CODE_NOT_FOUND : EXIT_CODE_NOT_EXECUTABLE;
  if (result->timed_out)
    return EXIT_CODE_TIMED_OUT;
  return WIFEXITED(result->wait_status) ? WEXITSTATUS(result->wait_status)
                                        : EXIT_CODE_SIGNALLED + WTERMSIG(result->wait_status);
}

/* How it ended: by a signal, by its own handling of one, or with a status of its own. */
static bool is_aborted(const struct child_result *result, const struct result_said *said) {
  int status = exit_status(result);

  if (result->timed_out)
    return false;
  return (said && said->is_aborted) || status == EXIT_CODE_SIGNALLED + SIGINT ||
         status == EXIT_CODE_SIGNALLED + SIGTERM || (result->interrupted_by != 0 && status != 0);
}

static int add_missing(struct json_text_members *members, const char *name, const char *text) {
  return json_text_members_find(members, name) ? 0
                                               : json_text_members_add_text(members, name, text);
}

/* Real-time signals have no name. */
static void name_end(const struct child_result *result, char text[32]) {
  int number = WIFSIGNALED(result->wait_status) ? WTERMSIG(result->wait_status) : 0;
  const char *name = sigabbrev_np(number);

  if (result->timed_out)
    strcpy(text, "timeout");
  else if (number == 0)
    snprintf(text, 32, "exit %d", exit_status(result));
  else if (name)
    snprintf(text, 32, "SIG%s", name);
  else
    snprintf(text, 32, "signal %d", number);
}

/* What --success or --failure says stands before the exit status; a success has no reason. */
static int describe_end(struct record_request *request, const struct child_result *result) {
  bool is_failure = request->execution.outcome == KAIZEN_FAILURE;
  bool was_aborted = is_aborted(result, NULL);
  const char *outcome = result->timed_out ? "timeout"
                        : was_aborted     ? "aborted"
                        : is_failure      ? "failed"
                                          : "completed";
  char text[32];

  if (add_missing(&request->metadata, "outcome", outcome) < 0)
    return -1;
  snprintf(text, sizeof text, "%d", exit_status(result));
  if (json_text_members_add_json(&request->metadata, "exit_status", text) < 0)
    return -1;
  if (!is_failure || exit_status(result) == 0 || (was_aborted && !WIFSIGNALED(result->wait_status)))
    return 0;
  name_end(result, text);
  return add_missing(&request->metadata, "error_type", text);
}

static int take_end(struct record_request *request, const struct child_result *result,
                    struct problem *problem) {
  struct kaizen_execution *execution = &request->execution;
  if (execution->outcome == 0)
    execution->outcome = exit_status(result) == 0 ? KAIZEN_SUCCESS : KAIZEN_FAILURE;
  if ((execution->flags & KAIZEN_EXEC_HAS_TIME) == 0)
    execution->execution_time_s = round(result->elapsed_s * 1e6) / 1e6;
  execution->flags |= KAIZEN_EXEC_HAS_TIME;
  return describe_end(request, result) < 0 ? problem_no_memory(problem) : 0;
}

/* A run that was begun under another key than the command's own result has is not ended by that
 * record. */
static bool ends_span(const struct record_request *request, const char *given_key) {
  return request->execution.idempotency_key.ptr == given_key;
}

/* The exit status of the recording alone. */
static int record(const struct host *host, struct record_request *request,
                  const struct child_result *result, const char *token) {
  struct record_call call;
  struct problem problem;
  record_call_init(&call, host);
  call.out = stderr; /* standard output is the command's */
  call.span = token[0] != '\0' ? token : NULL;
  int failed = take_end(request, result, &problem);
  if (failed == 0)
    failed = record_call_open(&call, request, &problem);
  if (failed == 0)
    failed = record_call_execution(&call, request, &problem);
  int status = failed < 0 ? record_call_report_problem(&call, request, &problem)
                          : record_call_report(&call, request);
  record_call_close(&call);
  return status;
}

static int check_given(const struct host *host, struct problem *problem) {
  char **rest = host->arguments->rest;

  if (!rest || !*rest || **rest == '\0')
    return problem_set(
        problem, EXIT_CODE_EXEC,
        "exec: missing command; put it after --, as in: kaizen-host exec coach -- make test");
  return 0;
}

/* The command, its output read along when --result is given. */
static int run_command(const struct host *host, struct child_result *result,
                       struct result_said *said, bool *has_said, struct problem *problem) {
  const char *format = options_text(host->arguments, "result", NULL);
  double limit_s = options_number(host->arguments, "timeout", 0);
  const char *text = NULL;
  struct problem unread;
  size_t len = 0;
  *has_said = false;
  if (!format)
    return child_run(host->arguments->rest, limit_s, result, problem);
  struct result_capture *capture = result_capture_begin(problem);
  if (!capture)
    return -1;
  int failed = child_run(host->arguments->rest, limit_s, result, problem);
  result_capture_end(capture, &text, &len);
  if (failed == 0 && result->exec_error == 0) {
    *has_said = result_read(format, text, len, said, &unread) == 0;
    if (!*has_said)
      output_warning("exec: %s; recording status and time", unread.text);
  }
  result_capture_free(capture);
  return failed;
}

/* A status other than 0 is a failure, whatever the command's own result says. */
static int take_said(struct record_request *request, const struct child_result *result,
                     struct result_said *said) {
  if (exit_status(result) != 0)
    said->outcome = KAIZEN_FAILURE;
  said->is_aborted = is_aborted(result, said);
  if (result->timed_out && add_missing(&request->metadata, "outcome", "timeout") < 0)
    return -1;
  if (result->timed_out)
    strcpy(said->error_type, "timeout");
  return result_apply(said, request);
}

static void take_quality(const struct host *host, struct record_request *request,
                         const struct child_result *result) {
  const char *command = options_text(host->arguments, "quality-cmd", NULL);
  double timeout_s = options_number(host->arguments, "quality-timeout", QUALITY_TIMEOUT_S);
  struct problem problem;
  double quality = 0;
  if (!command || (request->execution.flags & KAIZEN_EXEC_HAS_QUALITY) != 0)
    return;
  if (result_quality_run(command, exit_status(result), timeout_s, &quality, &problem) < 0) {
    output_warning("exec: %s; recording no quality", problem.text);
    return;
  }
  request->execution.quality_score = quality;
  request->execution.flags |= KAIZEN_EXEC_HAS_QUALITY;
}

static int run_and_record(const struct host *host, struct record_request *request,
                          char token[KAIZEN_SPAN_TOKEN_SIZE], struct problem *problem) {
  struct child_result result;
  struct result_said said;
  bool has_said = false;
  char **command = host->arguments->rest;
  const char *given_key = request->execution.idempotency_key.ptr;
  bool skips = strcmp(options_text(host->arguments, "aborted", "skip"), "skip") == 0;
  if (run_command(host, &result, &said, &has_said, problem) < 0) {
    exec_span_cancel(host, request, token);
    output_problem(problem);
    return EXIT_CODE_EXEC;
  }
  int status = exit_status(&result);
  if (result.exec_error != 0) {
    exec_span_cancel(host, request, token);
    output_error("exec: %s: %s; not recorded", command[0], strerror(result.exec_error));
    return status;
  }
  if (is_aborted(&result, has_said ? &said : NULL) && skips) {
    exec_span_cancel(host, request, token);
    output_note("exec: aborted; not recorded (--aborted failure records it)");
    return status;
  }
  if (has_said && take_said(request, &result, &said) < 0)
    output_warning("exec: out of memory; the command's own figures are not recorded");
  take_quality(host, request, &result);
  if (!ends_span(request, given_key))
    exec_span_cancel(host, request, token);
  int recorded = record(host, request, &result, token);
  bool is_recorded = recorded == EXIT_CODE_OK || recorded == EXIT_CODE_UNSENT ||
                     recorded == EXIT_CODE_UNDELIVERABLE;
  if (!is_recorded)
    exec_span_cancel(host, request, token);
  return status == 0 && !is_recorded && options_given(host->arguments, "require-record")
             ? EXIT_CODE_EXEC
             : status;
}

static int run(const struct host *host) {
  struct record_request request;
  struct problem problem;
  char token[KAIZEN_SPAN_TOKEN_SIZE] = "";
  int result = record_request_init(&request, host->arguments, command_word(host, 0), &problem);

  if (result == 0)
    result = check_given(host, &problem);
  if (result == 0)
    result = exec_span_begin(host, &request, token, &problem);
  int status = EXIT_CODE_EXEC;
  if (result < 0)
    output_error("command not run: %s", problem.text);
  else
    status = run_and_record(host, &request, token, &problem);
  record_request_fini(&request);
  return status;
}

const struct command command_exec = {
    .name = "exec",
    .synopsis = "AGENT [OPTIONS] -- COMMAND [ARGUMENT...]",
    .summary = "run a command, record its duration and outcome",
    .details = "The command's exit status is passed through; after a signal it is 128 plus the "
               "signal's number.  exec itself uses 124 (stopped by --timeout), 125, 126 (cannot "
               "be run) and 127 (not found).  "
               "If the record would be rejected in any case, the command is not run: 125.  If "
               "recording fails later, a message says so and the status stays, unless "
               "--require-record is given.  If exec is killed, the run is recorded as one failure "
               "with outcome \"lost\".  With -o json the result goes to standard error.",
    .examples = examples,
    .option_groups = {record_request_options, own_options},
    .takes_agent = true,
    .words_min = 1,
    .words_max = 1,
    .takes_rest = true,
    .usage_status = EXIT_CODE_EXEC,
    .run = run,
};
