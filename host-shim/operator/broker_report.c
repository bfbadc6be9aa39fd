/* broker_report.c - kaizen.broker/1's reports: fetched and shown.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "operator/broker_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "base/time_text.h"
#include "base/utf8_text.h"
#include "host/report_text.h"

static int take_report(struct session *session, int32_t result, struct report_text *text,
                       struct json_object **report, struct problem *problem) {
  struct problem ignored;
  if (result == KAIZEN_E_ARGUMENT) {
    session_failed(session, "broker", result, problem);
    problem->exit_code = EXIT_CODE_USAGE;
    return -1;
  }
  *report = text->text ? report_text_parse(text, "broker", result < 0 ? &ignored : problem) : NULL;
  if (result >= 0)
    return *report ? 0 : problem_set(problem, EXIT_CODE_FAILED, "no broker report from the plugin");
  const char *reason = report_text_string(*report, "reason", NULL);
  if (reason && *reason != '\0')
    problem_set(problem, EXIT_CODE_UNDELIVERABLE, "%s", reason);
  else
    session_failed(session, "broker unavailable", result, problem);
  /* A configuration that the plugin refuses keeps its exit status; everything else is the broker's
   * state. */
  if (problem->exit_code != EXIT_CODE_REFUSED)
    problem->exit_code = EXIT_CODE_UNDELIVERABLE;
  return -1;
}

int broker_report_check(struct session *session, double timeout_s, struct json_object **report,
                        struct problem *problem) {
  const struct kaizen_broker_1 *broker = session_extension(session, KAIZEN_BROKER_1, problem);
  struct report_text text = {.text = NULL};
  *report = NULL;
  if (!broker)
    return -1;
  int32_t result =
      broker->check(session->instance, (uint32_t)(timeout_s * 1000), report_text_sink, &text);
  return take_report(session, result, &text, report, problem);
}

int broker_report_init(struct session *session, const struct broker_report_init *init,
                       struct json_object **report, struct problem *problem) {
  const struct kaizen_broker_1 *broker = session_extension(session, KAIZEN_BROKER_1, problem);
  struct report_text text = {.text = NULL};
  *report = NULL;
  if (!broker)
    return -1;
  int32_t result = broker->init(session->instance, init->stream, init->replicas,
                                init->dry_run ? KAIZEN_BROKER_DRY_RUN : 0,
                                (uint32_t)(init->timeout_s * 1000), report_text_sink, &text);
  return take_report(session, result, &text, report, problem);
}

static void print_stream(struct json_object *report, const char *stream) {
  struct json_object *subjects = report_text_member(report, "subjects");
  double window_s = report_text_number(report, "duplicate_window_s", -1);

  utf8_text_printf("stream     %s", stream);
  for (size_t i = 0;
       json_object_is_type(subjects, json_type_array) && i < json_object_array_length(subjects);
       i++)
    utf8_text_printf("%s%s", i > 0 ? ", " : ": ",
                     json_object_get_string(json_object_array_get_idx(subjects, i)));
  if (report_text_member(report, "replicas"))
    printf("; %" PRIu64 " replica%s", report_text_count(report, "replicas"),
           output_plural(report_text_count(report, "replicas")));
  if (window_s >= 0) {
    char window[TIME_TEXT_MAX];

    time_text_duration(window_s, window);
    printf(", duplicates recognised for %s", window);
  }
  putchar('\n');
}

/* NULL: it could not be asked. */
static const char *jetstream_text(struct json_object *jetstream) {
  return !jetstream ? "unknown" : json_object_get_boolean(jetstream) ? "on" : "off";
}

static void print_unknown(struct json_object *report) {
  struct json_object *unknown = report_text_member(report, "unknown");

  for (size_t i = 0;
       json_object_is_type(unknown, json_type_array) && i < json_object_array_length(unknown);
       i++) {
    struct json_object *one = json_object_array_get_idx(unknown, i);

    utf8_text_printf("unknown    %s: %s", report_text_string(one, "what", "?"),
                     report_text_string(one, "why", "?"));
    putchar('\n');
  }
}

void broker_report_print(struct json_object *report) {
  bool connected = json_object_get_boolean(report_text_member(report, "connected"));
  bool ok = json_object_get_boolean(report_text_member(report, "ok"));
  bool unknown = strcmp(report_text_string(report, "verdict", ""), "unknown") == 0;
  const char *stream = report_text_string(report, "stream", "");
  const char *reason = report_text_string(report, "reason", "");
  const char *action = report_text_string(report, "action", "");
  const char *version = report_text_string(report, "server_version", "");

  utf8_text_printf("broker     %s: %s", report_text_string(report, "url", "?"),
                   connected ? "connected" : "not reached");
  if (connected && *version != '\0')
    utf8_text_printf(", nats-server %s", version);
  if (connected)
    printf(", JetStream %s", jetstream_text(report_text_member(report, "jetstream")));
  putchar('\n');
  if (*stream != '\0')
    print_stream(report, stream);
  if (*action != '\0')
    utf8_text_printf("action     %s", action), putchar('\n');
  printf("events     %s%s%s", output_style(ok ? OUTPUT_GREEN : OUTPUT_RED),
         ok        ? "can be published"
         : unknown ? "unknown whether they can be published"
                   : "cannot be published",
         output_style_end());
  utf8_text_printf("%s%s", *reason != '\0' ? ": " : "", reason);
  putchar('\n');
  print_unknown(report);
}
