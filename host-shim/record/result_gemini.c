/* result_gemini.c - what `gemini -p --output-format json` or stream-json prints.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/result_gemini.h"

#include <kaizen/plugin.h>
#include <math.h>
#include <string.h>

#include "host/report_text.h"
#include "record/result_json.h"

static bool is_result(struct json_object *object) {
  bool is_streams = strcmp(report_text_string(object, "type", ""), "result") == 0;

  return is_streams ||
         (report_text_member(object, "session_id") &&
          (report_text_member(object, "stats") || report_text_member(object, "error")));
}

static bool is_init(struct json_object *object) {
  return strcmp(report_text_string(object, "type", ""), "init") == 0;
}

static void take_outcome(struct json_object *message, struct result_said *said) {
  struct json_object *error = report_text_member(message, "error");
  const char *status = report_text_string(message, "status", "success");
  bool failed = error || strcmp(status, "success") != 0;

  said->outcome = failed ? KAIZEN_FAILURE : KAIZEN_SUCCESS;
  if (failed)
    result_said_set_error(said, report_text_string(error, "type", ""), "error");
}

/* By model: {tokens: {prompt, candidates, thoughts, total}}, or as the stream has it. */
static void take_models(struct json_object *stats, struct result_said *said) {
  struct json_object *models = report_text_member(stats, "models");
  double most = -1;

  if (!json_object_is_type(models, json_type_object))
    return;
  struct json_object_iter member;
  json_object_object_foreachC(models, member) {
    struct json_object *tokens = report_text_member(member.val, "tokens");
    double input =
        result_json_tokens(tokens ? tokens : member.val, tokens ? "prompt" : "input_tokens", NAN);
    double output = tokens ? result_json_tokens(tokens, "candidates", NAN) +
                                 result_json_tokens(tokens, "thoughts", 0)
                           : result_json_tokens(member.val, "output_tokens", NAN);
    double all = isfinite(input + output) ? input + output : 0;
    said->input_tokens += input;
    said->output_tokens += output;
    if (all > most) {
      most = all;
      result_said_set_model(said, member.key);
    }
  }
}

int result_gemini_read(const char *text, size_t len, struct result_said *said) {
  struct json_object *message = result_json_find(text, len, "\"stats\"", is_result);
  if (!message)
    return -1;
  struct json_object *stats = report_text_member(message, "stats");
  struct json_object *init = result_json_find(text, len, "\"init\"", is_init);
  take_outcome(message, said);
  take_models(stats, said);
  result_json_word(init ? init : message, "session_id", said->session, HOOK_ID_MAX);
  said->duration_s = result_json_number(stats, "duration_ms") / 1000;
  result_said_mark_key(said, text, len);
  json_object_put(init);
  json_object_put(message);
  return 0;
}
