/* result_claude.c - the result that `claude -p --output-format json` or stream-json prints.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "host/report_text.h"
#include "record/result.h"

static bool is_result(struct json_object *object) {
  return json_object_is_type(object, json_type_object) &&
         strcmp(report_text_string(object, "type", ""), "result") == 0;
}

/* The whole text is one result, or an array of messages that ends with one. */
static struct json_object *find_in_document(const char *text, size_t len) {
  struct json_object *document = result_parse(text, len);
  size_t count =
      json_object_is_type(document, json_type_array) ? json_object_array_length(document) : 0;
  struct json_object *found = is_result(document) ? json_object_get(document) : NULL;

  for (size_t i = count; !found && i-- > 0;) {
    struct json_object *message = json_object_array_get_idx(document, i);

    found = is_result(message) ? json_object_get(message) : NULL;
  }
  json_object_put(document);
  return found;
}

/* One message a line, the last of them the result. */
static struct json_object *find_in_lines(const char *text, size_t len) {
  struct json_object *found = NULL;
  const char *line = NULL;
  size_t at = 0, line_len = 0;

  while (result_next_line(text, len, &at, &line, &line_len)) {
    if (line_len == 0 || *line != '{' || !memmem(line, line_len, "\"result\"", 8))
      continue;
    struct json_object *message = result_parse(line, line_len);
    if (is_result(message)) {
      json_object_put(found);
      found = message;
    } else {
      json_object_put(message);
    }
  }
  return found;
}

/* Only when there is one: with several nothing can be said of "the" model. */
static void take_model(struct json_object *message, struct result *result) {
  struct json_object *usage = report_text_member(message, "modelUsage");

  if (!json_object_is_type(usage, json_type_object) || json_object_object_length(usage) != 1)
    return;
  struct json_object_iter member;
  json_object_object_foreachC(usage, member) {
    if (hook_redact_is_word(member.key, HOOK_WORD_MAX) && !hook_redact_is_secret(member.key))
      snprintf(result->model, sizeof result->model, "%s", member.key);
  }
}

static void take_outcome(struct json_object *message, struct result *result) {
  struct json_object *is_error = report_text_member(message, "is_error");
  char subtype[HOOK_WORD_MAX + 1];
  result_take_word(message, "subtype", subtype, HOOK_WORD_MAX);
  bool failed = json_object_get_boolean(is_error) || strncmp(subtype, "error", 5) == 0;

  result->outcome = failed ? KAIZEN_FAILURE
                    : json_object_is_type(is_error, json_type_boolean) || subtype[0] != '\0'
                        ? KAIZEN_SUCCESS
                        : 0;
  if (failed)
    snprintf(result->error_type, sizeof result->error_type, "%s",
             strncmp(subtype, "error", 5) == 0 ? subtype : "error");
}

int result_read_claude(const char *text, size_t len, struct result *result) {
  char uuid[HOOK_ID_MAX + 1];
  struct json_object *message = find_in_document(text, len);

  message = message ? message : find_in_lines(text, len);
  if (!message)
    return -1;
  struct json_object *usage = report_text_member(message, "usage");
  take_outcome(message, result);
  take_model(message, result);
  result_take_word(message, "session_id", result->session, HOOK_ID_MAX);
  result_take_word(message, "uuid", uuid, HOOK_ID_MAX);
  if (uuid[0] != '\0')
    snprintf(result->key, sizeof result->key, "%s:%s%s%s", result->host, result->session,
             result->session[0] != '\0' ? ":" : "", uuid);
  result->duration_s = result_number(message, "duration_ms") / 1000;
  result->cost_usd = result_number(message, "total_cost_usd");
  result->turns = result_number(message, "num_turns");
  result->input_tokens = result_number(usage, "input_tokens") +
                         result_number(usage, "cache_creation_input_tokens") +
                         result_number(usage, "cache_read_input_tokens");
  result->output_tokens = result_number(usage, "output_tokens");
  json_object_put(message);
  return 0;
}
