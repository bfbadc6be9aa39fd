/* command_export.c - the log's lines on standard output.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/output.h"
#include "host/command.h"
#include "report/agent_history.h"
#include "report/report_commands.h"

static const struct option_spec own_options[] = {
    {"all", 'a', OPTION_FLAG, NULL, "every agent, one after the other"},
    {"last", 'n', OPTION_COUNT, "N", "only the last N records of each agent"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"export coach > coach.jsonl", "one agent's records as JSON Lines"},
    {"export --all | gzip > project.jsonl.gz", "all of them"},
    {NULL, NULL},
};

struct export {
  struct session session;
  const struct kaizen_inspect_1 *inspect;
  uint64_t last;
};

static int32_t write_line(void *ctx, const char *data, size_t len) {
  (void)ctx;
  return fwrite(data, 1, len, stdout) == len ? 0 : -1;
}

static int export_agent(void *ctx, const char *agent, struct problem *problem) {
  struct export *export = ctx;
  int32_t result = export->inspect->recent(export->session.instance, session_text(agent),
                                           export->last, write_line, NULL);

  if (result == KAIZEN_E_REJECTED)
    return agent_history_unknown(&export->session, agent, problem);
  if (ferror(stdout))
    return problem_set(problem, EXIT_CODE_FAILED, "cannot write to standard output");
  return result < 0 ? session_failed(&export->session, agent, result, problem) : 0;
}

static int check_given(const struct host *host, struct problem *problem) {
  if ((command_word(host, 0) != NULL) == options_given(host->arguments, "all"))
    return problem_set(problem, EXIT_CODE_USAGE, "export: name one agent, or --all");
  return 0;
}

static int run(const struct host *host) {
  struct export export = {.last = (uint64_t)options_number(host->arguments, "last", 0)};
  struct problem problem;
  const char *agent = command_word(host, 0);

  if (check_given(host, &problem) < 0 || session_open(host, &export.session, &problem) < 0)
    return output_problem(&problem);
  export.inspect = session_extension(&export.session, KAIZEN_INSPECT_1, &problem);
  int result = !export.inspect ? -1
               : agent         ? export_agent(&export, agent, &problem)
                       : agent_history_each(&export.session, export_agent, &export, &problem);
  session_close(&export.session);
  return result < 0 ? output_problem(&problem) : EXIT_CODE_OK;
}

const struct command command_export = {
    .name = "export",
    .synopsis = "AGENT|--all [OPTIONS]",
    .summary = "the log as JSON Lines",
    .details =
        "The records come out as the log has them, with -o json as well; 'replay' takes them back.",
    .examples = examples,
    .option_groups = {own_options},
    .takes_agent = true,
    .words_max = 1,
    .run = run,
};
