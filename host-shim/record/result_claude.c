/* result_claude.c - what `claude -p --output-format json` or stream-json prints; `qwen` does the
 * same.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/result_claude.h"

#include <kaizen/plugin.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/report_text.h"
#include "record/result_json.h"

static bool is_result(struct json_object *object) {
  return strcmp(report_text_string(object, "type", ""), "result") == 0;
}

/* The most specific word for a failure: what the provider said, how the run ended, the subtype. */
static const char *error_word(struct json_object *message) {
  const char *subtype = report_text_string(message, "subtype", "");
  const char *type = report_text_string(message, "api_error_type", "");
  const char *reason = report_text_string(message, "terminal_reason", "");
  bool says_how = strncmp(subtype, "error", 5) == 0;

  return *type != '\0' ? type : says_how ? subtype : *reason != '\0' ? reason : "error";
}

/* An interrupted run exits with status 0, calls itself an error, and says why it ended. */
static void take_outcome(struct json_object *message, struct result_said *said) {
  struct json_object *is_error = report_text_member(message, "is_error");
  const char *subtype = report_text_string(message, "subtype", "");
  const char *reason = report_text_string(message, "terminal_reason", "");
  bool says_error = json_object_is_type(is_error, json_type_boolean);

  said->is_aborted = strncmp(reason, "aborted", 7) == 0;
  if (said->is_aborted || json_object_get_boolean(is_error) || strncmp(subtype, "error", 5) == 0)
    said->outcome = KAIZEN_FAILURE;
  else if (says_error || *subtype != '\0')
    said->outcome = KAIZEN_SUCCESS;
  if (said->outcome == KAIZEN_FAILURE)
    result_said_set_error(said, said->is_aborted ? reason : error_word(message), "error");
}

static void take_tokens(struct json_object *message, struct result_said *said) {
  struct json_object *usage = report_text_member(message, "usage");
  bool counts_apart = strcmp(said->host, "qwen") != 0; /* Qwen's input includes the cached tokens */

  said->input_tokens = result_json_tokens(usage, "input_tokens", NAN);
  if (counts_apart)
    said->input_tokens += result_json_tokens(usage, "cache_creation_input_tokens", 0) +
                          result_json_tokens(usage, "cache_read_input_tokens", 0);
  said->output_tokens = result_json_tokens(usage, "output_tokens", NAN);
}

/* The most expensive one, where there are several. */
static void take_model(struct json_object *message, struct result_said *said) {
  struct json_object *models = report_text_member(report_text_member(message, "stats"), "models");

  result_said_take_model(said, report_text_member(message, "modelUsage"), "costUSD");
  if (said->model[0] == '\0')
    result_said_take_model(said, models, "");
}

int result_claude_read(const char *text, size_t len, struct result_said *said) {
  char uuid[HOOK_ID_MAX + 1];
  struct json_object *message = result_json_find(text, len, "\"result\"", is_result);
  if (!message)
    return -1;
  struct json_object *denials = report_text_member(message, "permission_denials");
  take_outcome(message, said);
  take_model(message, said);
  take_tokens(message, said);
  result_json_word(message, "session_id", said->session, HOOK_ID_MAX);
  result_json_word(message, "uuid", uuid, HOOK_ID_MAX);
  if (uuid[0] != '\0')
    snprintf(said->key, sizeof said->key, "%s:%s%s%s", said->host, said->session,
             said->session[0] != '\0' ? ":" : "", uuid);
  said->duration_s = result_json_number(message, "duration_ms") / 1000;
  said->cost_usd = result_json_number(message, "total_cost_usd");
  said->turns = result_json_number(message, "num_turns");
  if (json_object_is_type(denials, json_type_array))
    said->permission_denials = (double)json_object_array_length(denials);
  json_object_put(message);
  return 0;
}
