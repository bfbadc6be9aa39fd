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

static const size_t STDIN_BYTES_MAX = 16 * 1024 * 1024; /* the plugin's own bound is far below */

static const struct option_spec own_options[] = {
    {"json", 0, OPTION_FLAG, NULL,
     "the record is a JSON object on standard input; options win over its members"},
    {"from", 0, OPTION_CHOICE, RESULT_FORMATS,
     "standard input is what a coding agent printed; the agent is its name unless given"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"record coach --success --time 120 --quality 0.9", "it went well"},
    {"record coach --failure --metadata error_type=timeout", "it did not"},
    {"record coach --success --emit-event --wait 5",
     "publish an event, wait up to 5 s for the broker"},
    {"record coach --json --idempotency-key run-17 < record.json",
     "a record made elsewhere, at most once"},
    {"record --from claude-json < result.json", "what `claude -p --output-format json` printed"},
    {NULL, NULL},
};

/* --from: what a coding agent printed says what the options do not. */
static int take_result(const struct host *host, struct record_request *request,
                       struct result_said *said, struct problem *problem) {
  char *text = NULL;
  size_t len = 0;
  if (options_given(host->arguments, "json"))
    return problem_set(problem, EXIT_CODE_USAGE, "--json and --from exclude each other");
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
                       "record: the agent is missing; usage: kaizen-host record %s",
                       command_record.synopsis);
  if (request->execution.outcome == 0 && !is_json)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "record: one of --success and --failure is needed");
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
    .synopsis = "AGENT --success|--failure [OPTIONS]\n  kaizen-host record [AGENT] --json "
                "[OPTIONS] < RECORD",
    .summary = "record one execution of an agent",
    .details = "HELIX_SESSION_UID, HELIX_REPO, HELIX_FLAVOR, HELIX_TOKENS and "
               "HELIX_INFRA_OVERHEAD_SHARE are taken\n"
               "into the record; what is given explicitly wins.  Without --wait, a record whose "
               "event is still\n"
               "on its way ends with status 0: the event stays in the log and is sent later.",
    .examples = examples,
    .option_groups = {record_request_options, own_options},
    .takes_agent = true,
    .words_min = 0,
    .words_max = 1,
    .run = run,
};
