/* command_record.c - record one execution.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_text.h"
#include "base/output.h"
#include "host/command.h"
#include "host/record_call.h"
#include "host/record_request.h"
#include "record/record_commands.h"
#include "record/result.h"

static const size_t STDIN_BYTES_MAX = 16 * 1024 * 1024; /* the plugin's own limit is much lower */

static const struct option_spec own_options[] = {
    {"json", 0, OPTION_FLAG, NULL,
     "read the record as JSON from standard input; options override its members"},
    {"from", 0, OPTION_CHOICE, RESULT_FORMATS,
     "read the result of a coding agent from standard input; AGENT defaults to its name"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"record coach --success --time 120 --quality 0.9", "a success"},
    {"record coach --failure --metadata error_type=timeout", "a failure"},
    {"record coach --success --emit-event --wait 5",
     "publish an event, wait at most 5 s for the broker"},
    {"record coach --json --idempotency-key run-17 < record.json",
     "a record from elsewhere, at most once"},
    {"record --from claude-json < result.json", "the output of `claude -p --output-format json`"},
    {NULL, NULL},
};

/* --from: a coding agent's output gives what the options do not. */
static int take_result(const struct host *host, struct record_request *request,
                       struct result_said *said, struct problem *problem) {
  char *text = NULL;
  size_t len = 0;
  if (options_given(host->arguments, "json"))
    return problem_set(problem, EXIT_CODE_USAGE, "--json and --from cannot be used together");
  if (file_text_read("-", STDIN_BYTES_MAX, &text, &len, problem) < 0)
    return -1;
  int result = result_read(options_text(host->arguments, "from", ""), text, len, said, problem);
  free(text);
  if (result == 0 && !request->agent_as_given) {
    request->agent_as_given = said->host;
    request->execution.agent = session_text(said->host);
  }
  if (result == 0 && result_apply(said, request) < 0)
    result = problem_no_memory(problem);
  return result;
}

static int check_given(const struct host *host, const struct record_request *request, bool is_json,
                       struct problem *problem) {
  bool maps = options_given(host->arguments, "map-agent");
  if (!request->agent_as_given && (!is_json || maps))
    return problem_set(problem, EXIT_CODE_USAGE,
                       "record: missing agent; usage: kaizen-host record %s",
                       command_record.synopsis);
  if (request->execution.outcome == 0 && !is_json)
    return problem_set(problem, EXIT_CODE_USAGE, "record: give --success or --failure");
  return 0;
}

static int call_plugin(const struct host *host, struct record_call *call,
                       struct record_request *request, bool is_json, struct problem *problem) {
  if (!is_json)
    return record_call_execution(call, request, problem);
  char *text = NULL;
  size_t len = 0;
  if (file_text_read("-", STDIN_BYTES_MAX, &text, &len, problem) < 0)
    return -1;
  char *merged = record_request_merge(request, host->arguments, text, len);
  free(text);
  if (!merged)
    return problem_no_memory(problem);
  int result = record_call_json(call, request, merged, problem);
  free(merged);
  return result;
}

static int run(const struct host *host) {
  struct record_call call;
  struct record_request request;
  struct result_said said;
  struct problem problem;
  bool is_json = options_given(host->arguments, "json");

  record_call_init(&call, host);
  int result = record_request_init(&request, host->arguments, command_word(host, 0), &problem);
  if (result == 0 && options_given(host->arguments, "from"))
    result = take_result(host, &request, &said, &problem);
  if (result == 0)
    result = check_given(host, &request, is_json, &problem);
  if (result == 0)
    result = record_call_open(&call, &request, &problem);
  if (result == 0)
    result = call_plugin(host, &call, &request, is_json, &problem);
  int status = result < 0 ? record_call_report_problem(&call, &request, &problem)
                          : record_call_report(&call, &request);
  record_call_close(&call);
  record_request_fini(&request);
  return status;
}

const struct command command_record = {
    .name = "record",
    .synopsis = "AGENT --success|--failure [OPTIONS]",
    .second_synopsis = "[AGENT] --json [OPTIONS] < RECORD",
    .summary = "record one run of an agent",
    .details =
        "HELIX_SESSION_UID, HELIX_REPO, HELIX_FLAVOR, HELIX_TOKENS and HELIX_INFRA_OVERHEAD_SHARE "
        "are added to the record unless it has these members.  Without --wait, the status is 0 "
        "even if the event is still pending: it stays in the log and is sent later.",
    .examples = examples,
    .option_groups = {record_request_options, own_options},
    .takes_agent = true,
    .words_min = 0,
    .words_max = 1,
    .run = run,
};
