/* result.c - what a coding agent says about its own run when it is told to print JSON.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/result.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/report_text.h"

enum { DEPTH_MAX = 128 };

struct json_object *result_parse(const char *text, size_t len) {
  struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
  struct json_object *value = NULL;

  if (tokener && len < INT_MAX)
    value = json_tokener_parse_ex(tokener, text, (int)len);
  json_tokener_free(tokener);
  return value;
}

bool result_next_line(const char *text, size_t len, size_t *at, const char **line,
                      size_t *line_len) {
  if (*at >= len)
    return false;
  const char *newline = memchr(text + *at, '\n', len - *at);
  *line = text + *at;
  *line_len = newline ? (size_t)(newline - *line) : len - *at;
  *at += *line_len + (newline != NULL);
  return true;
}

void result_take_word(struct json_object *object, const char *name, char *out, size_t max) {
  const char *text = report_text_string(object, name, "");
  bool fits = hook_redact_is_word(text, max) && !hook_redact_is_secret(text);

  snprintf(out, max + 1, "%s", fits ? text : "");
}

double result_number(struct json_object *object, const char *name) {
  double number = report_text_number(object, name, 0);

  return isfinite(number) && number > 0 ? number : 0;
}

int result_read(const char *format, const char *text, size_t len, struct result *result,
                struct problem *problem) {
  bool is_claude = strcmp(format, "claude-json") == 0;
  memset(result, 0, sizeof *result);
  result->host = is_claude ? "claude-code" : "codex";
  if ((is_claude ? result_read_claude : result_read_codex)(text, len, result) == 0)
    return 0;
  return problem_set(problem, EXIT_CODE_REJECTED,
                     "no result of %s in %zu bytes of output; it is made by %s",
                     is_claude ? "Claude Code" : "Codex", len,
                     is_claude ? "claude -p --output-format json" : "codex exec --json");
}

static int add_text(struct json_text_members *members, const char *name, const char *text) {
  bool is_missing = text[0] != '\0' && !json_text_members_find(members, name);

  return is_missing ? json_text_members_add_text(members, name, text) : 0;
}

static int add_number(struct json_text_members *members, const char *name, double number) {
  bool is_missing = number > 0 && !json_text_members_find(members, name);

  return is_missing ? json_text_members_add_number(members, name, number) : 0;
}

static int add_count(struct json_text_members *members, const char *name, double number) {
  char text[32];

  snprintf(text, sizeof text, "%.0f", number);
  bool is_missing = number >= 1 && number < 1e15 && !json_text_members_find(members, name);
  return is_missing ? json_text_members_add_json(members, name, text) : 0;
}

int result_apply(const struct result *result, struct record_request *request) {
  struct kaizen_execution *execution = &request->execution;
  struct json_text_members *metadata = &request->metadata;
  bool failed = result->outcome == KAIZEN_FAILURE;

  if (execution->outcome == 0)
    execution->outcome = result->outcome;
  if ((execution->flags & KAIZEN_EXEC_HAS_TIME) == 0 && result->duration_s > 0) {
    execution->execution_time_s = result->duration_s;
    execution->flags |= KAIZEN_EXEC_HAS_TIME;
  }
  if (!execution->session_id.ptr && result->session[0] != '\0')
    execution->session_id = session_text(result->session);
  if (!execution->idempotency_key.ptr && result->key[0] != '\0')
    execution->idempotency_key = session_text(result->key);
  return add_text(metadata, "outcome",
                  failed                 ? "failed"
                  : result->outcome != 0 ? "completed"
                                         : "") |
         add_text(metadata, "error_type", failed ? result->error_type : "") |
         add_text(metadata, "host", result->host) | add_text(metadata, "model", result->model) |
         add_number(metadata, "cost_usd", result->cost_usd) |
         add_count(metadata, "turns", result->turns) |
         add_count(metadata, "input_tokens", result->input_tokens) |
         add_count(metadata, "output_tokens", result->output_tokens) |
         add_count(&request->extra, "tokens", result->input_tokens + result->output_tokens);
}
