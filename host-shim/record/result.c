/* result.c - what a coding agent says about its own run when it is told to print JSON.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/result.h"

#include <stdio.h>
#include <string.h>

#include "record/result_claude.h"
#include "record/result_codex.h"
#include "record/result_copilot.h"
#include "record/result_gemini.h"

static const struct {
  const char *format, *host, *name, *made_by;
  int (*read)(const char *text, size_t len, struct result_said *said);
} formats[] = {
    {"claude-json", "claude-code", "Claude Code", "claude -p --output-format json",
     result_claude_read},
    {"codex-json", "codex", "Codex", "codex exec --json", result_codex_read},
    {"copilot-json", "copilot", "Copilot", "copilot -p --output-format json", result_copilot_read},
    {"gemini-json", "gemini", "Gemini CLI", "gemini -p --output-format json", result_gemini_read},
    {"qwen-json", "qwen", "Qwen Code", "qwen -p --output-format json", result_claude_read},
};

int result_read(const char *format, const char *text, size_t len, struct result_said *said,
                struct problem *problem) {
  size_t i = 0;

  while (strcmp(formats[i].format, format) != 0)
    i++;
  memset(said, 0, sizeof *said);
  said->host = formats[i].host;
  if (formats[i].read(text, len, said) == 0)
    return 0;
  return problem_set(problem, EXIT_CODE_REJECTED,
                     "no result of %s in %zu bytes of output; run it as %s", formats[i].name, len,
                     formats[i].made_by);
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

int result_apply(const struct result_said *said, struct record_request *request) {
  struct kaizen_execution *execution = &request->execution;
  struct json_text_members *metadata = &request->metadata;

  if (execution->outcome == 0) /* else --success or --failure says it */
    execution->outcome = said->outcome;
  bool failed = execution->outcome == KAIZEN_FAILURE;
  if ((execution->flags & KAIZEN_EXEC_HAS_TIME) == 0 && said->duration_s > 0) {
    execution->execution_time_s = said->duration_s;
    execution->flags |= KAIZEN_EXEC_HAS_TIME;
  }
  if (!execution->session_id.ptr && said->session[0] != '\0')
    execution->session_id = session_text(said->session);
  if (!execution->idempotency_key.ptr && said->key[0] != '\0')
    execution->idempotency_key = session_text(said->key);
  return add_text(metadata, "outcome",
                  said->is_aborted          ? "aborted"
                  : failed                  ? "failed"
                  : execution->outcome != 0 ? "completed"
                                            : "") |
         add_text(metadata, "error_type", failed ? said->error_type : "") |
         add_text(metadata, "host", said->host) | add_text(metadata, "model", said->model) |
         add_number(metadata, "cost_usd", said->cost_usd) |
         add_count(metadata, "turns", said->turns) |
         add_count(metadata, "permission_denials", said->permission_denials) |
         add_count(metadata, "input_tokens", said->input_tokens) |
         add_count(metadata, "output_tokens", said->output_tokens) |
         add_count(&request->extra, "tokens", said->input_tokens + said->output_tokens);
}
