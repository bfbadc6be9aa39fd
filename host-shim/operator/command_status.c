/* command_status.c - what is recorded, what is sent, and why the rest is not.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/output.h"
#include "base/table.h"
#include "base/time_text.h"
#include "base/utf8_text.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/session.h"
#include "host/unreadable.h"
#include "operator/broker_report.h"
#include "operator/operator_commands.h"

static const double BROKER_TIMEOUT_S = 2;

static const struct option_spec own_options[] = {
    {"no-broker", 0, OPTION_FLAG, NULL, "do not contact the broker"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"status", "recorded, sent and pending events of each agent"},
    {"status --no-broker -o json", "for a program, from the files only"},
    {NULL, NULL},
};

struct totals {
  uint64_t recorded, marked, acknowledged, pending, held, dead_lettered, skipped_lines;
  size_t unreadable;          /* agents for which these are unknown */
  const char *oldest_pending; /* borrowed from the report; NULL */
};

static struct totals sum_up(struct json_object *agents, size_t count, size_t unreadable) {
  struct totals totals = {.unreadable = unreadable};

  for (size_t i = 0; i < count; i++) {
    struct json_object *agent = json_object_array_get_idx(agents, i);
    const char *oldest = report_text_string(agent, "oldest_pending", NULL);

    totals.recorded += report_text_count(agent, "execution_count");
    totals.marked += report_text_count(agent, "marked");
    totals.acknowledged += report_text_count(agent, "acknowledged");
    totals.pending += report_text_count(agent, "pending");
    totals.held += report_text_count(agent, "held");
    totals.dead_lettered += report_text_count(agent, "dead_lettered");
    totals.skipped_lines += report_text_count(agent, "skipped_lines");
    if (oldest && (!totals.oldest_pending || strcmp(oldest, totals.oldest_pending) < 0))
      totals.oldest_pending = oldest;
  }
  return totals;
}

static void print_age(const char *timestamp) {
  int64_t then_ns = 0;
  char age[TIME_TEXT_MAX];

  if (!timestamp || time_text_parse(timestamp, &then_ns) < 0)
    return;
  double seconds = (double)(time_text_now_ns() - then_ns) / 1e9;
  time_text_duration(seconds > 0 ? seconds : 0, age);
  printf(", the oldest for %s", age);
}

static void print_trouble(const struct totals *totals) {
  uint64_t waiting = totals->pending - totals->held;

  if (totals->unreadable > 0)
    printf("%sevents of %zu agent%s unknown%s: the sums leave them out\n", output_style(OUTPUT_RED),
           totals->unreadable, output_plural(totals->unreadable), output_style_end());
  if (totals->held > 0)
    printf("%s%" PRIu64 " event%s held back%s until 'drain --resend-all' or 'drain --assume-sent', "
           "because the project was copied or restored\n",
           output_style(OUTPUT_YELLOW), totals->held, output_plural(totals->held),
           output_style_end());
  if (totals->dead_lettered > 0)
    printf("%s%" PRIu64 " dead letter%s%s; 'dead-letters list' says why\n",
           output_style(OUTPUT_RED), totals->dead_lettered, output_plural(totals->dead_lettered),
           output_style_end());
  if (waiting > 0) {
    printf("%s%" PRIu64 " event%s pending%s", output_style(OUTPUT_YELLOW), waiting,
           output_plural(waiting), output_style_end());
    print_age(totals->oldest_pending);
    putchar('\n');
  }
}

static void print_emission(bool emits, const struct totals *totals) {
  const char *records = output_plural(totals->recorded);

  if (!emits)
    printf("events are off by default, %" PRIu64 " of %" PRIu64 " record%s marked\n",
           totals->marked, totals->recorded, records);
  else if (totals->pending == 0)
    printf("%s%s%s%" PRIu64 " event%s acknowledged, %" PRIu64 " of %" PRIu64 " record%s marked\n",
           output_style(OUTPUT_GREEN),
           totals->dead_lettered == 0 && totals->unreadable == 0 ? "everything is sent: " : "",
           output_style_end(), totals->acknowledged, output_plural(totals->acknowledged),
           totals->marked, totals->recorded, records);
}

/* The most important comes first. */
static void print_headline(struct json_object *report, const struct totals *totals) {
  print_trouble(totals);

  print_emission(json_object_get_boolean(report_text_member(report, "emit_event")), totals);
  if (totals->skipped_lines > 0)
    printf("%" PRIu64 " line%s of the logs %s; 'verify' shows %s\n", totals->skipped_lines,
           output_plural(totals->skipped_lines),
           totals->skipped_lines == 1 ? "is not a record" : "are not records",
           totals->skipped_lines == 1 ? "it" : "them");
}

static void print_agents(struct json_object *report) {
  struct json_object *agents = report_text_member(report, "agents");
  struct json_object *unreadable = unreadable_in(report);
  static const char *const headings[] = {"agent",    ">records",   ">marked",       ">acknowledged",
                                         ">pending", ">held back", ">dead letters", NULL};
  static const char *const members[] = {"execution_count", "marked", "acknowledged",
                                        "pending",         "held",   "dead_lettered"};
  struct table table;

  table_init(&table, headings);
  for (size_t i = 0; i < json_object_array_length(agents); i++) {
    struct json_object *agent = json_object_array_get_idx(agents, i);

    table_cell(&table, "%s", report_text_string(agent, "agent", ""));
    for (size_t column = 0; column < sizeof members / sizeof members[0]; column++)
      if (report_text_member(agent, members[column]))
        table_cell(&table, "%" PRIu64, report_text_count(agent, members[column]));
      else
        table_cell(&table, "?");
  }
  for (size_t i = 0; i < json_object_array_length(unreadable); i++) {
    const char *name = report_text_string(json_object_array_get_idx(unreadable, i), "agent", "");

    if (report_text_is_listed(report, name))
      continue;
    table_cell(&table, "%s", *name != '\0' ? name : "?");
    for (size_t column = 0; column < sizeof members / sizeof members[0]; column++)
      table_cell(&table, "?");
  }
  if (table.cell_count > 0) {
    putchar('\n');
    table_print(&table);
  }
}

static void print_publisher(struct json_object *report, struct json_object *broker) {
  double holder = report_text_number(report_text_member(report, "publisher"), "holder_pid", 0);

  bool is_stopped = json_object_get_boolean(
      report_text_member(report_text_member(report, "publisher"), "holder_stopped"));

  if (holder > 0 && is_stopped)
    printf("\npublisher  process %.0f, which is stopped: nothing is sent until it goes on ('kill "
           "-CONT %.0f')\n",
           holder, holder);
  else if (holder > 0)
    printf("\npublisher  process %.0f\n", holder);
  else if (holder < 0)
    puts("\npublisher  a process in another container");
  else
    puts("\npublisher  none running; 'drain' or the next emitting process sends pending events");
  if (broker)
    broker_report_print(broker);
}

static void print_text(struct json_object *report, struct json_object *broker,
                       const struct totals *totals) {
  printf("%s", output_style(OUTPUT_BOLD));
  utf8_text_print(stdout, report_text_string(report, "project", ""));
  printf("%s  ", output_style_end());
  utf8_text_print(stdout, report_text_string(report, "project_root", ""));
  putchar('\n');
  print_headline(report, totals);
  print_agents(report);
  print_publisher(report, broker);
}

static bool wants_broker(const struct host *host, struct json_object *report,
                         const struct totals *totals) {
  return !options_given(host->arguments, "no-broker") &&
         (totals->pending > 0 || json_object_get_boolean(report_text_member(report, "emit_event")));
}

static int report_status(const struct host *host, struct session *session,
                         struct problem *problem) {
  struct json_object *report = NULL, *broker = NULL;
  if (report_text_delivery(session, &report, problem) < 0)
    return output_problem(problem);
  if (!json_object_is_type(report_text_member(report, "agents"), json_type_array))
    json_object_object_add(report, "agents", json_object_new_array());
  struct json_object *agents = report_text_member(report, "agents");
  struct json_object *unreadable = unreadable_in(report);
  struct totals totals =
      sum_up(agents, json_object_array_length(agents), json_object_array_length(unreadable));
  bool usable = true;
  if (wants_broker(host, report, &totals))
    usable = broker_report_check(session, BROKER_TIMEOUT_S, &broker, problem) == 0;
  if (output_is_json()) {
    json_object_object_add(report, "broker", json_object_get(broker));
    output_json(json_object_get(report));
  } else {
    print_text(report, broker, &totals);
  }
  fflush(stdout);
  unreadable_tell(unreadable);
  if (!usable && !broker)
    output_note("%s", problem->text);
  json_object_put(broker);
  json_object_put(report);
  return totals.held > 0 || totals.dead_lettered > 0 || totals.unreadable > 0 || !usable
             ? EXIT_CODE_UNDELIVERABLE
             : EXIT_CODE_OK;
}

static int run(const struct host *host) {
  return session_run(host, report_status);
}

const struct command command_status = {
    .name = "status",
    .synopsis = "[OPTIONS]",
    .summary = "what is recorded, what is sent, why the rest is not",
    .details = "The broker is contacted when events are on or pending.  Status 6: events held "
               "back, dead letters, an agent that cannot be read, or a broker that cannot be used.",
    .examples = examples,
    .option_groups = {own_options},
    .only_reads = true,
    .run = run,
};
