/* command_watch.c - shows events as the broker delivers them, or records as they are added to the
 * logs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/amount_text.h"
#include "base/json_text.h"
#include "base/output.h"
#include "base/signals.h"
#include "base/utf8_text.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/session.h"
#include "operator/operator_commands.h"
#include "operator/watch_log.h"

static const struct option_spec own_options[] = {
    {"log", 0, OPTION_FLAG, NULL,
     "show records from the logs instead; the broker is not contacted"},
    {"count", 'n', OPTION_COUNT_1, "N", "stop after N events"},
    {"timeout", 't', OPTION_PERIOD, "S", "stop after S seconds without an event; default: never"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"watch", "until Ctrl-C"},
    {"watch --log", "show every record as it is made, with or without a broker"},
    {"watch -n 1 --timeout 60 -o json", "print the next event as it came"},
    {NULL, NULL},
};

struct watch {
  uint64_t left; /* UINT64_MAX: no end */
  uint64_t seen;
};

static void print_event(const char *data, size_t len) {
  size_t at = 0;
  const char *description = NULL;
  struct json_object *event = json_text_parse(data, len, &at, &description);
  struct json_object *attributes = report_text_member(event, "attributes");
  struct json_object *summary = report_text_member(attributes, "summary");
  char success[AMOUNT_TEXT_MAX];

  if (!event) {
    output_warning("an event that is not JSON: %s", description);
    return;
  }
  utf8_text_printf("%s  %s %s", report_text_string(event, "timestamp", "?"),
                   report_text_string(attributes, "project", "?"),
                   report_text_string(attributes, "agent", "?"));
  amount_text_percent(report_text_number(summary, "success_rate", 0), 1, success);
  utf8_text_printf("  %s of %" PRIu64 ", quality %.2f  %s", success,
                   report_text_count(summary, "execution_count"),
                   report_text_number(summary, "avg_quality", 0),
                   report_text_string(event, "id", "?"));
  putchar('\n');
  json_object_put(event);
}

static int32_t take_event(void *ctx, const char *data, size_t len) {
  struct watch *watch = ctx;

  if (len == 0)
    return signals_pending() != 0 || ferror(stdout);
  if (output_is_json()) {
    fwrite(data, 1, len, stdout);
    putchar('\n');
  } else {
    print_event(data, len);
  }
  fflush(stdout);
  watch->seen++;
  return watch->seen >= watch->left || signals_pending() != 0 || ferror(stdout);
}

static int watch_broker(struct session *session, uint64_t left, double timeout_s,
                        struct problem *problem) {
  const struct kaizen_broker_1 *broker = session_extension(session, KAIZEN_BROKER_1, problem);
  struct watch watch = {.left = left, .seen = 0};

  if (!broker)
    return -1;
  output_note("waiting for events; Ctrl-C stops");
  int32_t result =
      broker->watch(session->instance, (uint32_t)(timeout_s * 1000), take_event, &watch);
  if (result >= 0 || watch.seen >= watch.left || signals_pending() != 0)
    return 0;
  session_failed(session, "watch", result, problem);
  if (problem->exit_code != EXIT_CODE_REFUSED)
    problem->exit_code = EXIT_CODE_UNDELIVERABLE;
  return -1;
}

/* Nothing is ever recorded under such a name: waiting for it would not end. */
static int check_agent(const struct session *session, const char *agent, struct problem *problem) {
  const struct kaizen_names_1 *names = session->plugin.table->get_extension(KAIZEN_NAMES_1);
  char legal[KAIZEN_NAME_MAX + 1] = "", reason[208] = "";
  int32_t changed =
      agent && names ? names->map(agent, strlen(agent), legal, reason, sizeof reason) : 0;

  if (changed < 0)
    return problem_set(problem, EXIT_CODE_USAGE, "watch: '%s' cannot be an agent: %s", agent,
                       reason);
  if (changed > 0)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "watch: '%s' cannot be an agent; --map-agent and hooks record it as '%s'",
                       agent, legal);
  return 0;
}

static int watch_opened(const struct host *host, struct session *session, struct problem *problem) {
  double timeout_s = options_number(host->arguments, "timeout", 0);
  uint64_t left = options_given(host->arguments, "count")
                      ? (uint64_t)options_number(host->arguments, "count", 0)
                      : UINT64_MAX;

  if (check_agent(session, command_word(host, 0), problem) < 0)
    return -1;
  signals_note();
  return options_given(host->arguments, "log")
             ? watch_log_follow(session, command_word(host, 0), left, timeout_s, problem)
             : watch_broker(session, left, timeout_s, problem);
}

static int run(const struct host *host) {
  struct session session;
  struct problem problem;

  if (command_word(host, 0) && !options_given(host->arguments, "log")) {
    problem_set(&problem, EXIT_CODE_USAGE,
                "watch: an agent can be named only with --log; events come from all agents");
    return output_problem(&problem);
  }
  if (session_open(host, &session, &problem) < 0)
    return output_problem(&problem);
  int result = watch_opened(host, &session, &problem);
  session_close(&session);
  return result < 0 ? output_problem(&problem) : EXIT_CODE_OK;
}

const struct command command_watch = {
    .name = "watch",
    .synopsis = "[--log [AGENT]] [OPTIONS]",
    .summary = "show events from the broker, or records, as they arrive",
    .examples = examples,
    .option_groups = {own_options},
    .takes_agent = true,
    .words_max = 1,
    .only_reads = true,
    .run = run,
};
