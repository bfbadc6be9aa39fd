/* command_import.c - record a coding agent's history.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/output.h"
#include "base/signals.h"
#include "host/command.h"
#include "host/session.h"
#include "operator/import.h"
#include "operator/operator_commands.h"
#include "report/window.h"
#include "usage/history_files.h"

static const struct option_spec own_options[] = {
    {"since", 0, OPTION_TEXT, "TIME", "only turns that ended at or after TIME, a date or a time"},
    {"agent", 0, OPTION_NAME, "NAME", "record under this name"},
    {"aborted", 0, OPTION_CHOICE, "skip|failure",
     "how to record an aborted turn; skip: not at all"},
    {"emit-event", 'e', OPTION_FLAG, NULL, "publish an event for each record; default: none"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"import claude-code", "this project's whole history"},
    {"import codex --since 2026-10-01", "since a day"},
    {"import gemini -o json", "print the counts as JSON"},
    {NULL, NULL},
};

static bool is_known(const char *name, struct problem *problem) {
  static const char *const hosts[] = {HISTORY_FILES_HOSTS};

  for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
    if (strcmp(hosts[i], name) == 0)
      return true;
  problem_set(problem, EXIT_CODE_USAGE,
              "cannot read a history of '%s'; supported: claude-code, codex, gemini", name);
  return false;
}

static int run_opened(const struct host *host, struct session *session, struct problem *problem) {
  struct import import = {
      .session = session,
      .host = command_word(host, 0),
      .agent = options_text(host->arguments, "agent", NULL),
      .takes_aborted = strcmp(options_text(host->arguments, "aborted", "skip"), "failure") == 0,
      .replay = {.fd = -1},
  };
  bool emits = options_given(host->arguments, "emit-event"), has_since;
  int64_t since_s;

  if (!is_known(import.host, problem))
    return output_problem(problem);
  if (window_option(host->arguments, "since", &has_since, &since_s, problem) < 0)
    return output_problem(problem);
  if (has_since)
    import.history.since_ns = window_ns(since_s);
  signals_note();
  int result = emits ? session_set(session, "emit_event", "true", problem) : 0;
  if (result == 0)
    result = import_collect(&import, problem);
  if (result == 0)
    result = import_record(&import, emits ? KAIZEN_EXEC_EMIT : KAIZEN_EXEC_NO_EMIT, problem);
  int status = result < 0 ? output_problem(problem) : import_report(&import);
  import_close(&import);
  return status;
}

static int run(const struct host *host) {
  return session_run(host, run_opened);
}

const struct command command_import = {
    .name = "import",
    .synopsis = "HOST [--since TIME] [OPTIONS]",
    .summary = "record a coding agent's history",
    .details = "Reads the transcripts of the coding agent's sessions and records each turn of this "
               "project: times, outcome as far as it is known, tokens, model, tool errors.  No "
               "text is taken.  The keys are those of the hooks, so nothing is recorded twice.  No "
               "event is published without --emit-event.",
    .examples = examples,
    .option_groups = {own_options},
    .words = {HISTORY_FILES_HOSTS},
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
