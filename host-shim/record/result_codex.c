/* result_codex.c - the events that `codex exec --json` prints, one per line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/result_codex.h"

#include <kaizen/plugin.h>
#include <math.h>
#include <string.h>

#include "host/report_text.h"
#include "record/result_json.h"

static void take_usage(struct json_object *event, struct result_said *said) {
  struct json_object *usage = report_text_member(event, "usage");

  /* it includes the cached tokens */
  said->input_tokens += result_json_tokens(usage, "input_tokens", NAN);
  said->output_tokens += result_json_tokens(usage, "output_tokens", NAN);
}

/* True for an event that says how it ended. */
static bool take_event(void *ctx, struct json_object *event) {
  struct result_said *said = ctx;
  const char *type = report_text_string(event, "type", "");
  bool completed = strcmp(type, "turn.completed") == 0;
  bool failed = strcmp(type, "turn.failed") == 0;

  if (strcmp(type, "thread.started") == 0)
    result_json_word(event, "thread_id", said->session, HOOK_ID_MAX);
  if (!completed && !failed)
    return false;
  /* of several turns the last one counts */
  said->outcome = failed ? KAIZEN_FAILURE : KAIZEN_SUCCESS;
  result_said_set_error(said, failed ? "turn.failed" : "", "");
  said->turns++;
  take_usage(event, said);
  return true;
}

int result_codex_read(const char *text, size_t len, struct result_said *said) {
  size_t found = result_json_events(text, len, take_event, said);

  /* The events carry no id of the turn; a resumed thread prints different events. */
  if (found > 0)
    result_said_mark_key(said, text, len);
  return found > 0 ? 0 : -1;
}
