/* watch_log.c - shows records as they are added to the logs, without a broker.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The logs are asked twice a second for what follows the place where the last answer ended. */
#include "operator/watch_log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/amount_text.h"
#include "base/json_text.h"
#include "base/output.h"
#include "base/signals.h"
#include "base/time_text.h"
#include "base/utf8_text.h"
#include "host/report_text.h"
#include "report/agent_history.h"
#include "report/record_members.h"

enum { LOOK_MAX = 1000 }; /* records of an agent shown at one look */
static const long LOOK_EVERY_NS = 500000000;

struct watched {
  char name[KAIZEN_NAME_MAX + 1];
  struct kaizen_query_place place; /* where the last look ended */
  bool complained;                 /* its failure has been reported */
};
struct watch_log {
  struct session *session;
  struct watched *list; /* by name */
  size_t count;
  bool begins; /* the first look: what is there already is not shown */
  uint64_t left, seen;
};

/* ---- one record ------------------------------------------------------------------------------ */

static void print_record(struct json_object *record) {
  struct json_object *metadata = report_text_member(record, "metadata");
  bool success = json_object_get_boolean(report_text_member(record, "success"));
  double time_s = report_text_number(record, "execution_time_s", -1);
  double quality = report_text_number(record, "quality_score", NAN);
  double cost_usd = report_text_number(metadata, "cost_usd", -1);
  char duration[TIME_TEXT_MAX], cost[AMOUNT_TEXT_MAX];

  utf8_text_printf("%s  %s", report_text_string(record, "timestamp", "?"),
                   report_text_string(record, "agent", "?"));
  printf("  %s%s%s", output_style(success ? OUTPUT_GREEN : OUTPUT_RED),
         success ? "success" : "failure", output_style_end());
  time_text_duration(time_s, duration);
  if (time_s >= 0)
    printf("  %s", duration);
  if (!isnan(quality))
    printf("  quality %.2f", quality);
  amount_text_usd(cost_usd, 2, cost);
  if (cost_usd >= 0)
    printf("  %s", cost);
  const char *reason =
      report_text_string(metadata, "error_type", report_text_string(metadata, "outcome", ""));
  if (!success && *reason != '\0')
    fputs("  ", stdout), utf8_text_print(stdout, reason);
  putchar('\n');
}

static bool has_enough(const struct watch_log *watch) {
  return watch->seen >= watch->left || signals_pending() != 0 || ferror(stdout);
}

static void show_line(struct watch_log *watch, const char *line, size_t len) {
  size_t at = 0;
  const char *description = NULL;

  if (output_is_json()) {
    record_members_print(stdout, line, len);
    putchar('\n');
  } else {
    struct json_object *record = json_text_parse(line, len, &at, &description);

    if (record)
      print_record(record);
    else
      output_warning("a record that is not strict JSON: %s", description);
    json_object_put(record);
  }
  watch->seen++;
}

/* ---- one look -------------------------------------------------------------------------------- */

static int32_t ignore_line(void *ctx, const char *data, size_t len) {
  (void)ctx;
  (void)data;
  (void)len;
  return 0;
}

static void show_lines(struct watch_log *watch, char *text) {
  char *rest = text;

  for (char *line = strsep(&rest, "\n"); line && !has_enough(watch); line = strsep(&rest, "\n"))
    if (*line != '\0')
      show_line(watch, line, strlen(line));
  fflush(stdout);
}

/* An answer is shown only when it is certain that it follows what was shown before. */
static void take_answer(struct watch_log *watch, struct watched *agent, struct report_text *text,
                        const struct kaizen_query_result *answer) {
  agent->place = answer->place;
  agent->complained = false;
  if ((answer->flags & KAIZEN_QUERY_RESTARTED) != 0)
    output_warning("the log of %s was rewritten: records since the last look are not shown",
                   agent->name);
  else if (text->text)
    show_lines(watch, text->text);
  if (answer->records == LOOK_MAX && (answer->flags & KAIZEN_QUERY_RESTARTED) == 0)
    output_warning("%s: the newest %d records of this look; there may be more", agent->name,
                   LOOK_MAX);
}

static void look_at_agent(struct watch_log *watch, struct watched *agent, bool from_end) {
  const struct kaizen_query_1 *query = watch->session->plugin.table->get_extension(KAIZEN_QUERY_1);
  const struct kaizen_query asked = {
      .struct_size = sizeof asked,
      .flags = from_end ? 0 : KAIZEN_QUERY_AFTER,
      .agent = session_text(agent->name),
      .last = from_end ? 1 : LOOK_MAX,
      .after = agent->place,
  };
  struct kaizen_query_result answer = {.struct_size = sizeof answer};
  struct report_text text = {.text = NULL};
  int32_t code = query->records(watch->session->instance, &asked,
                                from_end ? ignore_line : report_text_sink, &text, &answer);

  if (code == KAIZEN_OK)
    take_answer(watch, agent, &text, &answer);
  else if (code != KAIZEN_E_BUSY && !agent->complained) {
    if (code == KAIZEN_E_REJECTED)
      output_note("no agent '%s' yet; waiting for its first record", agent->name);
    else
      output_warning("%s: %s; trying again", agent->name,
                     answer.reason[0] != '\0' ? answer.reason : "its log cannot be read");
    agent->complained = true;
  }
  free(text.text);
}

static int compare_names(const void *name, const void *agent) {
  return strcmp(name, ((const struct watched *)agent)->name);
}

/* The agent of that name, at its place in the order; new ones are read from their beginning. */
static struct watched *find_agent(struct watch_log *watch, const char *name) {
  struct watched *found = watch->count > 0 ? bsearch(name, watch->list, watch->count,
                                                     sizeof *watch->list, compare_names)
                                           : NULL;
  size_t at = 0;

  if (found || strlen(name) > KAIZEN_NAME_MAX)
    return found;
  struct watched *list = reallocarray(watch->list, watch->count + 1, sizeof *list);
  if (!list)
    return NULL;
  watch->list = list;
  while (at < watch->count && strcmp(list[at].name, name) < 0)
    at++;
  memmove(&list[at + 1], &list[at], (watch->count - at) * sizeof *list);
  list[at] = (struct watched){.complained = false};
  strcpy(list[at].name, name);
  watch->count++;
  return &list[at];
}

static int look_at(void *ctx, const char *name, struct problem *problem) {
  struct watch_log *watch = ctx;
  struct watched *agent = find_agent(watch, name);

  if (!agent)
    return problem_no_memory(problem);
  look_at_agent(watch, agent, watch->begins);
  return has_enough(watch) ? 1 : 0;
}

static int look(struct watch_log *watch, const char *agent, struct problem *problem) {
  int result = agent ? look_at(watch, agent, problem)
                     : agent_history_each(watch->session, look_at, watch, problem);

  watch->begins = false;
  return result < 0 ? -1 : 0;
}

int watch_log_follow(struct session *session, const char *agent, uint64_t left, double timeout_s,
                     struct problem *problem) {
  const struct timespec pause = {.tv_nsec = LOOK_EVERY_NS};
  struct watch_log watch = {.session = session, .begins = true, .left = left};
  double last_s = time_text_monotonic_s();
  uint64_t seen = 0;
  int result = session_extension(session, KAIZEN_QUERY_1, problem) ? 0 : -1;

  for (; result == 0 && !has_enough(&watch); seen = watch.seen) {
    bool first = watch.begins;

    result = look(&watch, agent, problem);
    if (first)
      output_note("waiting for records; Ctrl-C stops");
    if (watch.seen > seen)
      last_s = time_text_monotonic_s();
    if (timeout_s > 0 && time_text_monotonic_s() >= last_s + timeout_s)
      break;
    if (result == 0 && !has_enough(&watch))
      nanosleep(&pause, NULL);
  }
  free(watch.list);
  return result;
}
