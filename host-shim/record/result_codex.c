/* result_codex.c - the events that `codex exec --json` prints, one a line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/hook_fingerprint.h"
#include "host/report_text.h"
#include "record/result.h"

static void take_usage(struct json_object *event, struct result *result) {
  struct json_object *usage = report_text_member(event, "usage");

  result->input_tokens += result_number(usage, "input_tokens"); /* the cached ones are part of it */
  result->output_tokens += result_number(usage, "output_tokens");
}

/* True for an event that says how it ended. */
static bool take_event(struct json_object *event, struct result *result) {
  const char *type = report_text_string(event, "type", "");
  bool completed = strcmp(type, "turn.completed") == 0;
  bool failed = strcmp(type, "turn.failed") == 0;

  if (strcmp(type, "thread.started") == 0)
    result_take_word(event, "thread_id", result->session, HOOK_ID_MAX);
  if (!completed && !failed)
    return false;
  result->outcome =
      failed ? KAIZEN_FAILURE : KAIZEN_SUCCESS; /* of several turns the last one counts */
  snprintf(result->error_type, sizeof result->error_type, "%s", failed ? "turn.failed" : "");
  result->turns++;
  take_usage(event, result);
  return true;
}

int result_read_codex(const char *text, size_t len, struct result *result) {
  static const uint8_t no_key[HOOK_FINGERPRINT_KEY_BYTES];
  const char *line = NULL;
  size_t at = 0, line_len = 0, found = 0;

  while (result_next_line(text, len, &at, &line, &line_len)) {
    struct json_object *event = line_len > 0 && *line == '{' ? result_parse(line, line_len) : NULL;

    found += json_object_is_type(event, json_type_object) && take_event(event, result);
    json_object_put(event);
  }
  /* The events carry no id of the turn; a thread that is taken up again prints other ones. */
  if (found > 0 && result->session[0] != '\0')
    snprintf(result->key, sizeof result->key, "%s:%s:%016llx", result->host, result->session,
             (unsigned long long)hook_fingerprint(no_key, text, len));
  return found > 0 ? 0 : -1;
}
