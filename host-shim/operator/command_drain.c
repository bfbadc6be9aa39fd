/* command_drain.c - publish what is pending.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/output.h"
#include "base/signals.h"
#include "base/time_text.h"
#include "host/command.h"
#include "host/delivery_wait.h"
#include "host/report_text.h"
#include "host/unreadable.h"
#include "operator/follow.h"
#include "operator/operator_commands.h"
#include "report/window.h"

static const double TIMEOUT_DEFAULT_S = 30;
enum { MANY_UNCOUNTED = 200 };

static const struct option_spec own_options[] = {
    {"timeout", 't', OPTION_SECONDS, "S",
     "try for S seconds; default: 30, less if waiting cannot help"},
    {"follow", 0, OPTION_FLAG, NULL, "keep running and publish until SIGTERM or Ctrl-C"},
    {"roots", 0, OPTION_FILE, "FILE",
     "with --follow: file with one project folder per line; read again when it changes"},
    {"resend-since", 0, OPTION_TEXT, "T",
     "first make pending again what was acknowledged since T: a time, 2h"},
    {"resend-all", 0, OPTION_FLAG, NULL,
     "first make every event pending again, also held-back ones"},
    {"assume-sent", 0, OPTION_FLAG, NULL, "count held-back events as sent"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"drain", "send what is pending now"},
    {"drain --follow --roots /etc/kaizen-host/roots", "run as a service for many projects"},
    {"drain --resend-since 2026-01-02T03:00:00Z",
     "the broker lost events since then: send them again"},
    {"drain --assume-sent", "in a copy of a project: the original has sent these events"},
    {NULL, NULL},
};

struct drain_result {
  const char *ended;
  int status;
  uint64_t changed; /* events that a --resend-... or --assume-sent touched */
  bool unreported;  /* the report was left out: `held` and the duplicates are unknown */
  uint64_t held;
  uint64_t duplicates, duplicates_gone; /* events that the stream acknowledged as duplicates */
  struct json_object *unreadable;       /* agents whose events cannot be counted */
  struct kaizen_stats before, stats;    /* before: once a --resend-... had been done */
};

static int check_given(const struct host *host, struct problem *problem) {
  const struct arguments *arguments = host->arguments;
  int decisions = options_given(arguments, "resend-since") +
                  options_given(arguments, "resend-all") + options_given(arguments, "assume-sent");
  bool follow = options_given(arguments, "follow");

  if (decisions > 1)
    return problem_set(
        problem, EXIT_CODE_USAGE,
        "drain: only one of --resend-since, --resend-all and --assume-sent can be used");
  if (follow && (decisions > 0 || options_given(arguments, "timeout")))
    return problem_set(problem, EXIT_CODE_USAGE,
                       "drain: --follow cannot be used with --timeout, --resend-since, "
                       "--resend-all or --assume-sent");
  if (options_given(arguments, "roots") && !follow)
    return problem_set(problem, EXIT_CODE_USAGE, "drain: --roots needs --follow");
  return 0;
}

static int resend_since(const struct host *host, int64_t *since_ns, struct problem *problem) {
  int64_t since_s;
  bool has;

  if (window_option(host->arguments, "resend-since", &has, &since_s, problem) < 0)
    return -1;
  *since_ns = has ? window_ns(since_s) : 0;
  return 0;
}

static int decide(const struct host *host, struct session *session, int64_t since_ns,
                  uint64_t *changed, struct problem *problem) {
  bool assume = options_given(host->arguments, "assume-sent");
  bool resend = options_given(host->arguments, "resend-all") ||
                options_given(host->arguments, "resend-since");
  if (!assume && !resend)
    return 0;
  const struct kaizen_delivery_1 *delivery = session_extension(session, KAIZEN_DELIVERY_1, problem);
  if (!delivery)
    return -1;
  int32_t result = assume ? delivery->assume_sent(session->instance, changed)
                          : delivery->resend(session->instance, since_ns, changed);
  return result < 0 ? session_failed(session, "drain", result, problem) : 0;
}

/* What is missing in the counts of the plugin's statistics. */
static void take_report(struct session *session, struct drain_result *result) {
  struct problem problem;
  struct json_object *report = NULL;

  if (report_text_delivery(session, &report, &problem) < 0) {
    struct json_object *all = json_object_new_object();

    json_object_object_add(all, "agent", json_object_new_string(""));
    json_object_object_add(all, "why", json_object_new_string(problem.text));
    result->unreadable = json_object_new_array();
    json_object_array_add(result->unreadable, all);
    return;
  }
  struct json_object *publisher = report_text_member(report, "publisher");
  result->duplicates = report_text_count(publisher, "duplicates");
  result->duplicates_gone = report_text_count(publisher, "duplicates_gone");
  struct json_object *agents = report_text_member(report, "agents");
  for (size_t i = 0;
       json_object_is_type(agents, json_type_array) && i < json_object_array_length(agents); i++)
    result->held += report_text_count(json_object_array_get_idx(agents, i), "held");
  result->unreadable = json_object_get(unreadable_in(report));
  json_object_put(report);
}

/* An agent that was counted only at one end of this run makes the difference meaningless. */
static bool is_comparable(const struct drain_result *result) {
  return result->before.unknown_agents == result->stats.unknown_agents;
}

/* A report on very many agents that could not be counted in the time would take long after it. */
static void take_report_in_time(struct session *session, enum delivery_end end,
                                struct drain_result *result) {
  result->unreported = (end == DELIVERY_TIMEOUT || end == DELIVERY_INTERRUPTED) &&
                       result->stats.unknown_agents > MANY_UNCOUNTED;
  if (result->unreported)
    result->unreadable = json_object_new_array();
  else
    take_report(session, result);
}

/* Agents that the report could read may be too many for statistics, which take less time. */
static void tell_uncounted(struct drain_result *result) {
  struct json_object *some;

  if (!(result->stats.flags & KAIZEN_STATS_INCOMPLETE) ||
      json_object_array_length(result->unreadable) > 0)
    return;
  some = json_object_new_object();
  json_object_object_add(some, "agent", json_object_new_string(""));
  json_object_object_add(some, "why", json_object_new_string(result->stats.incomplete_reason));
  json_object_array_add(result->unreadable, some);
}

/* What grew during this run; -1: unknown, also when it shrank because records were pruned. */
static int64_t grown(const struct drain_result *result, uint64_t before, uint64_t after) {
  return is_comparable(result) && after >= before ? (int64_t)(after - before) : -1;
}

static int64_t acknowledged_now(const struct drain_result *result) {
  return grown(result, result->before.acknowledged, result->stats.acknowledged);
}

static int64_t dead_lettered_now(const struct drain_result *result) {
  return grown(result, result->before.dead_lettered, result->stats.dead_lettered);
}

static void take_end(struct drain_result *result, enum delivery_end end) {
  bool has_letters = dead_lettered_now(result) > 0 ||
                     (dead_lettered_now(result) < 0 && result->stats.dead_lettered > 0);
  bool needs_hands =
      result->held > 0 || json_object_array_length(result->unreadable) > 0 || has_letters;

  result->ended = end == DELIVERY_DONE          ? "done"
                  : end == DELIVERY_INCOMPLETE  ? "incomplete"
                  : end == DELIVERY_TIMEOUT     ? "timeout"
                  : end == DELIVERY_INTERRUPTED ? "interrupted"
                                                : "broker";
  result->status = end == DELIVERY_DONE ? (needs_hands ? EXIT_CODE_UNDELIVERABLE : EXIT_CODE_OK)
                   : end == DELIVERY_TIMEOUT     ? EXIT_CODE_UNSENT
                   : end == DELIVERY_INTERRUPTED ? EXIT_CODE_SIGNALLED + signals_pending()
                                                 : EXIT_CODE_UNDELIVERABLE;
}

/* Why events are left; "" when all are acknowledged, held back or dead letters, whatever state the
 * publisher is in. */
static const char *reason_of(const struct drain_result *result) {
  const char *reason = result->stats.publisher_reason;
  bool all_known = strcmp(result->ended, "done") == 0 || strcmp(result->ended, "incomplete") == 0;

  if (all_known)
    return "";
  return *reason == '\0' && result->stats.pending > 0 ? "the broker has not answered yet" : reason;
}

static void print_json(const struct drain_result *result) {
  struct json_object *document = json_object_new_object();
  const char *reason = reason_of(result);

  json_object_object_add(document, "ended", json_object_new_string(result->ended));
  int64_t acknowledged = acknowledged_now(result), dead_lettered = dead_lettered_now(result);

  json_object_object_add(document, "acknowledged_now",
                         acknowledged < 0 ? NULL : json_object_new_int64(acknowledged));
  json_object_object_add(document, "dead_lettered_now",
                         dead_lettered < 0 ? NULL : json_object_new_int64(dead_lettered));
  json_object_object_add(document, "duplicates_now",
                         result->unreported ? NULL : json_object_new_uint64(result->duplicates));
  json_object_object_add(document, "changed", json_object_new_uint64(result->changed));
  json_object_object_add(document, "marked", json_object_new_uint64(result->stats.marked));
  json_object_object_add(document, "acknowledged",
                         json_object_new_uint64(result->stats.acknowledged));
  json_object_object_add(document, "pending", json_object_new_uint64(result->stats.pending));
  json_object_object_add(document, "held",
                         result->unreported ? NULL : json_object_new_uint64(result->held));
  json_object_object_add(document, "dead_lettered",
                         json_object_new_uint64(result->stats.dead_lettered));
  json_object_object_add(document, "reason",
                         *reason != '\0' ? json_object_new_string(reason) : NULL);
  unreadable_add_json(result->unreadable, document);
  output_json(document);
}

/* This run's counts; the whole history's after it, where it is more. */
static void print_counts(const struct drain_result *result) {
  const struct kaizen_stats *stats = &result->stats;
  int64_t acknowledged = acknowledged_now(result), dead_lettered = dead_lettered_now(result);
  int64_t all = acknowledged + dead_lettered + (int64_t)stats->pending;

  if (!is_comparable(result))
    printf("not every agent could be counted before and after: number of acknowledged events "
           "unknown");
  else if (acknowledged < 0 || dead_lettered < 0)
    printf("records were removed in the meantime: number of acknowledged events unknown");
  else
    printf("%" PRId64 " of %" PRId64 " event%s acknowledged", acknowledged, all,
           output_plural((uint64_t)all));
  printf(", %" PRIu64 " pending", stats->pending);
  if (result->held > 0)
    printf(" (%" PRIu64 " of them held back)", result->held);
  if (result->unreported)
    printf(" (unknown how many of them held back)");
  if (acknowledged >= 0 && dead_lettered >= 0)
    printf(", %" PRId64 " dead letter%s", dead_lettered, output_plural((uint64_t)dead_lettered));
  if (stats->marked != (uint64_t)all)
    printf("; in all %" PRIu64 " of %" PRIu64 " acknowledged, %" PRIu64 " dead letter%s",
           stats->acknowledged, stats->marked, stats->dead_lettered,
           output_plural(stats->dead_lettered));
  putchar('\n');
}

static void print_resend(const struct drain_result *result) {
  if (result->changed == 0 || result->duplicates == 0)
    return;
  output_note(
      "%" PRIu64
      " of the events sent again have ids that the stream knows: it did not store them again",
      result->duplicates);
  if (result->duplicates_gone > 0)
    output_warning(
        "it no longer stores some of them, and accepts them only after its duplicate_window "
        "('broker check' shows it): resend then, or create the stream again");
}

static void print_text(const struct drain_result *result) {
  print_counts(result);
  fflush(stdout);
  print_resend(result);
  if (unreadable_tell(result->unreadable) > 0)
    output_note("events that cannot be read are not in these counts");
  if (result->held > 0)
    output_note("held-back events wait for 'drain --resend-all' or 'drain --assume-sent'");
  if (*reason_of(result) != '\0' && !output_has_said(reason_of(result)))
    output_error("%s", reason_of(result));
}

static int drain_opened(const struct host *host, struct session *session, struct problem *problem) {
  double timeout_s = options_number(host->arguments, "timeout", TIMEOUT_DEFAULT_S);
  double begin_s = time_text_monotonic_s();
  struct drain_result result = {.ended = ""};
  struct delivery_wait wait = {
      .timeout_s = timeout_s,
      .until_deadline = options_given(host->arguments, "timeout"),
      .patient = true,
      .show_progress = true,
  };
  int64_t since_ns = 0;

  if (resend_since(host, &since_ns, problem) < 0 || follow_publish_here(session, problem) < 0 ||
      decide(host, session, since_ns, &result.changed, problem) < 0)
    return output_problem(problem);
  delivery_wait_count(session, begin_s + timeout_s, &result.before); /* before anything is sent */
  if (session_start(session, problem) < 0)
    return output_problem(problem);
  signals_note();
  double left_s = begin_s + timeout_s - time_text_monotonic_s();
  wait.timeout_s = left_s > 0 ? left_s : 0;
  enum delivery_end end = delivery_wait(session, &wait, &result.stats, problem);
  output_progress_end();
  if (end == DELIVERY_FAILED)
    return output_problem(problem);
  if (result.stats.flags & KAIZEN_STATS_INCOMPLETE && time_text_monotonic_s() < begin_s + timeout_s)
    delivery_wait_count(session, begin_s + timeout_s, &result.stats);
  take_report_in_time(session, end, &result);
  tell_uncounted(&result);
  take_end(&result, end);
  if (output_is_json())
    print_json(&result);
  else
    print_text(&result);
  json_object_put(result.unreadable);
  if (end != DELIVERY_DONE && end != DELIVERY_INCOMPLETE)
    session_abandon(session);
  return result.status;
}

static int run(const struct host *host) {
  struct problem problem;

  if (check_given(host, &problem) < 0)
    return output_problem(&problem);
  if (options_given(host->arguments, "follow"))
    return follow_run(host, options_text(host->arguments, "roots", NULL));
  return session_run(host, drain_opened);
}

const struct command command_drain = {
    .name = "drain",
    .synopsis = "[OPTIONS]",
    .summary = "publish pending events",
    .details = "Events keep their ids, so sending one again does not open a task twice.  Status 5: "
               "not everything was acknowledged in time; 6: events held back, dead letters, an "
               "agent that cannot be read, or a broker that cannot be used.",
    .examples = examples,
    .option_groups = {own_options},
    .run = run,
};
