/* result_copilot.c - the events that `copilot -p --output-format json` prints, one per line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/result_copilot.h"

#include <kaizen/plugin.h>
#include <string.h>

#include "host/report_text.h"
#include "record/result_json.h"

static void take_result(struct json_object *event, struct result_said *said) {
  struct json_object *usage = report_text_member(event, "usage");
  struct json_object *status = report_text_member(event, "exitCode");

  result_json_word(event, "sessionId", said->session, HOOK_ID_MAX);
  if (json_object_is_type(status, json_type_int))
    said->outcome = json_object_get_int64(status) == 0 ? KAIZEN_SUCCESS : KAIZEN_FAILURE;
  said->duration_s = result_json_number(usage, "sessionDurationMs") / 1000;
}

/* True for the event that ends the run. */
static bool take_event(void *ctx, struct json_object *event) {
  struct result_said *said = ctx;
  const char *type = report_text_string(event, "type", "");
  struct json_object *data = report_text_member(event, "data");

  if (strcmp(type, "assistant.turn_start") == 0)
    said->turns++;
  else if (strcmp(type, "model.call_start") == 0)
    result_said_set_model(said, report_text_string(data, "model", ""));
  else if (strcmp(type, "model.call_final_result") == 0)
    result_said_set_error(said, report_text_string(data, "result", ""), "");
  else if (strcmp(type, "abort") == 0)
    said->is_aborted = true;
  if (strcmp(type, "result") != 0)
    return false;
  take_result(event, said);
  return true;
}

int result_copilot_read(const char *text, size_t len, struct result_said *said) {
  if (result_json_events(text, len, take_event, said) == 0)
    return -1;
  if (said->is_aborted)
    said->outcome = KAIZEN_FAILURE;
  if (said->outcome != KAIZEN_FAILURE || strcmp(said->error_type, "success") == 0)
    said->error_type[0] = '\0';
  result_said_mark_key(said, text, len);
  return 0;
}
