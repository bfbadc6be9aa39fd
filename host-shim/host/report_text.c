/* report_text.c - the plugin's reports, which are JSON text, and the plain structs as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/report_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/time_text.h"

int32_t report_text_sink(void *ctx, const char *data, size_t len) {
  struct report_text *report = ctx;

  if (report->len + len + 1 > report->room) {
    size_t room = (report->len + len + 1) * 2;
    char *text = realloc(report->text, room);

    if (!text)
      return -1;
    report->text = text;
    report->room = room;
  }
  memcpy(report->text + report->len, data, len);
  report->len += len;
  report->text[report->len] = '\0';
  return 0;
}

struct json_object *report_text_parse(struct report_text *report, const char *what,
                                      struct problem *problem) {
  size_t at = 0;
  const char *description = "empty";
  struct json_object *document = NULL;
  if (report->text)
    document = json_text_parse(report->text, report->len, &at, &description);
  if (!document)
    problem_set(problem, EXIT_CODE_FAILED, "the plugin's %s report is not JSON at byte %zu: %s",
                what, at, description);
  free(report->text);
  *report = (struct report_text){.text = NULL};
  return document;
}

typedef int32_t (*inspect_report)(struct kaizen_instance *, kaizen_sink, void *);

static int take_report(struct session *session, inspect_report call, const char *what,
                       struct json_object **document, struct problem *problem) {
  struct report_text text = {.text = NULL};
  int32_t result = call(session->instance, report_text_sink, &text);
  if (result < 0) {
    free(text.text);
    return session_failed(session, what, result, problem);
  }
  *document = report_text_parse(&text, what, problem);
  return *document ? 0 : -1;
}

int report_text_delivery(struct session *session, struct json_object **report,
                         struct problem *problem) {
  const struct kaizen_inspect_1 *inspect = session_extension(session, KAIZEN_INSPECT_1, problem);
  return inspect ? take_report(session, inspect->delivery, "delivery", report, problem) : -1;
}

int report_text_config(struct session *session, struct json_object **report,
                       struct problem *problem) {
  const struct kaizen_inspect_1 *inspect = session_extension(session, KAIZEN_INSPECT_1, problem);
  return inspect ? take_report(session, inspect->config, "configuration", report, problem) : -1;
}

bool report_text_is_listed(struct json_object *report, const char *agent) {
  struct json_object *agents = report_text_member(report, "agents");
  size_t count =
      json_object_is_type(agents, json_type_array) ? json_object_array_length(agents) : 0;

  for (size_t i = 0; i < count; i++)
    if (strcmp(report_text_string(json_object_array_get_idx(agents, i), "agent", ""), agent) == 0)
      return true;
  return false;
}

struct json_object *report_text_member(struct json_object *object, const char *name) {
  struct json_object *member = NULL;

  json_object_object_get_ex(object, name, &member);
  return member;
}

const char *report_text_string(struct json_object *object, const char *name,
                               const char *otherwise) {
  struct json_object *member = report_text_member(object, name);
  return json_object_is_type(member, json_type_string) ? json_object_get_string(member) : otherwise;
}

uint64_t report_text_count(struct json_object *object, const char *name) {
  struct json_object *member = report_text_member(object, name);

  return json_object_is_type(member, json_type_int) ? json_object_get_uint64(member) : 0;
}

double report_text_number(struct json_object *object, const char *name, double otherwise) {
  struct json_object *member = report_text_member(object, name);
  bool is_number =
      json_object_is_type(member, json_type_int) || json_object_is_type(member, json_type_double);

  return is_number ? json_object_get_double(member) : otherwise;
}

const char *report_text_trend(int32_t trend) {
  return trend == KAIZEN_TREND_STABLE ? "stable"
         : trend == KAIZEN_TREND_UP   ? "up"
         : trend == KAIZEN_TREND_DOWN ? "down"
                                      : "unknown";
}

struct json_object *report_text_summary(const struct kaizen_summary *summary) {
  struct json_object *object = json_object_new_object();
  struct json_object *trend = json_object_new_object();
  char last[TIME_TEXT_MAX];
  time_text_format(summary->last_execution_unix_ns, last);

  json_object_object_add(object, "execution_count",
                         json_object_new_uint64(summary->execution_count));
  json_object_object_add(object, "success_rate", json_text_new_double(summary->success_rate));
  json_object_object_add(object, "avg_quality_score",
                         json_text_new_double(summary->avg_quality_score));
  json_object_object_add(object, "avg_execution_time_s",
                         json_text_new_double(summary->avg_execution_time_s));
  json_object_object_add(trend, "success_rate",
                         json_object_new_string(report_text_trend(summary->trend_success_rate)));
  json_object_object_add(trend, "quality_score",
                         json_object_new_string(report_text_trend(summary->trend_quality_score)));
  json_object_object_add(object, "trend", trend);
  json_object_object_add(object, "last_execution",
                         summary->last_execution_unix_ns != 0 &&
                                 summary->last_execution_unix_ns != INT64_MAX
                             ? json_object_new_string(last)
                             : NULL);
  return object;
}
