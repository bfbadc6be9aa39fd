/* command_replay.c - record many executions from JSON Lines.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "base/signals.h"
#include "host/command.h"
#include "host/delivery_wait.h"
#include "host/session.h"
#include "operator/operator_commands.h"
#include "operator/replay.h"

static const struct option_spec own_options[] = {
    {"derive-keys", 0, OPTION_FLAG, NULL, "if a line has no key, make one from its bytes"},
    {"skip", 0, OPTION_COUNT, "N", "skip the first N lines"},
    {"emit-event", 'e', OPTION_FLAG, NULL, "publish an event for each record; default: none"},
    {"wait", 'w', OPTION_SECONDS, "S",
     "with --emit-event: wait at most S seconds for the broker at the end; default: 1"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"replay executions.jsonl", "records from another machine or tool"},
    {"replay --derive-keys old.jsonl", "safe to repeat: the same line is recorded once"},
    {"replay --skip 120000 big.jsonl", "continue after Ctrl-C"},
    {"export --all | kaizen-host -C ../copy replay -", "copy from one project to another"},
    {NULL, NULL},
};

static enum exit_code wait_for_events(const struct host *host, struct session *session) {
  struct problem problem;
  struct kaizen_stats stats;
  const struct delivery_wait wait = {.timeout_s = options_number(host->arguments, "wait", 1),
                                     .until_deadline = false,
                                     .show_progress = true};

  if (!options_given(host->arguments, "emit-event"))
    return EXIT_CODE_OK;
  enum delivery_end end = delivery_wait(session, &wait, &stats, &problem);
  if (end == DELIVERY_FAILED)
    return (enum exit_code)output_problem(&problem);
  if (end == DELIVERY_DONE)
    return EXIT_CODE_OK;
  if (end == DELIVERY_INCOMPLETE) {
    output_note("cannot tell whether every event is sent: %s", stats.incomplete_reason);
    return options_given(host->arguments, "wait") ? EXIT_CODE_UNSENT : EXIT_CODE_OK;
  }
  bool says_why = stats.publisher_reason[0] != '\0' && !output_has_said(stats.publisher_reason);
  output_note("%llu event%s still pending, in the log%s%s", (unsigned long long)stats.pending,
              stats.pending == 1 ? " is" : "s are", says_why ? ": " : "",
              says_why ? stats.publisher_reason : "");
  return options_given(host->arguments, "wait") ? EXIT_CODE_UNSENT : EXIT_CODE_OK;
}

static int run_opened(const struct host *host, struct session *session, struct problem *problem) {
  struct replay replay;
  const struct arguments *arguments = host->arguments;

  replay_init(&replay, session);
  replay.exec_flags =
      (options_given(arguments, "emit-event") ? KAIZEN_EXEC_EMIT : KAIZEN_EXEC_NO_EMIT) |
      KAIZEN_EXEC_KEEP_UNKNOWN; /* accepts what a log may hold, not only what a new run may be */
  replay.batch_flags = options_given(arguments, "derive-keys") ? KAIZEN_BATCH_DERIVE_KEYS : 0u;
  replay.lines_to_skip = (uint64_t)options_number(arguments, "skip", 0);
  int result = replay_open(&replay, command_word(host, 0), problem);
  if (result == 0 && options_given(arguments, "emit-event")) /* also what was pending before */
    result = session_set(session, "emit_event", "true", problem);
  if (result == 0)
    result = session_start(session, problem);
  if (result == 0) {
    signals_note();
    result = replay_run(&replay, problem);
  }
  int status = result < 0 ? output_problem(problem) : replay_report(&replay);
  if (status == EXIT_CODE_OK)
    status = (int)wait_for_events(host, session);
  replay_close(&replay);
  return status;
}

static int run(const struct host *host) {
  return session_run(host, run_opened);
}

const struct command command_replay = {
    .name = "replay",
    .synopsis = "[FILE|-] [OPTIONS]",
    .summary = "record many runs from JSON Lines",
    .details =
        "Each line is one record as in executions.jsonl, with its \"agent\".  Without a file, or "
        "with -, standard input is read.  A rejected or duplicate line does not stop the rest.  No "
        "event is published without --emit-event: old records would open new tasks.",
    .examples = examples,
    .option_groups = {own_options},
    .words_max = 1,
    .run = run,
};
