/* transcript_format.c - the meaning of the members of each host's transcript.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * As seen in the files of Claude Code 2.1.332, Codex 0.171.0, Gemini CLI 0.61.0 and Qwen Code
 * 0.24.4, and in descriptions of their older versions. */
#include "usage/transcript_format.h"

#include <stdio.h>
#include <string.h>

#include "base/hook_fingerprint.h"
#include "base/time_text.h"
#include "host/report_text.h"

static const uint8_t no_key[HOOK_FINGERPRINT_KEY_BYTES];

static uint64_t id_of(const char *text) {
  return hook_fingerprint(no_key, text, strlen(text));
}

/* Of a call or a tool use: without an id, each line is another one. */
static uint64_t id_in(const struct transcript *transcript, struct json_object *object,
                      const char *name) {
  const char *id = report_text_string(object, name, "");

  return *id != '\0' ? id_of(id) : transcript->ordinal;
}

static int64_t number_of(struct json_object *object, const char *name) {
  struct json_object *number = report_text_member(object, name);
  int64_t tokens = json_object_is_type(number, json_type_int) ? json_object_get_int64(number) : -1;

  if (!number)
    return USAGE_NOT_SAID;
  return tokens >= 0 && tokens <= USAGE_TOKENS_MAX ? tokens : USAGE_UNREADABLE;
}

static bool is_true(struct json_object *object, const char *name) {
  struct json_object *value = report_text_member(object, name);

  return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

/* Takes only words: an id, a version, an error's name. */
static void take_word(struct json_object *object, const char *name, char *out, size_t max) {
  const char *text = report_text_string(object, name, "");

  if (hook_redact_is_word(text, max) && !hook_redact_is_secret(text))
    snprintf(out, max + 1, "%s", text);
}

static bool is_type(struct json_object *object, const char *type) {
  return strcmp(report_text_string(object, "type", ""), type) == 0;
}

/* Records have whole seconds; milliseconds are needed to distinguish turns and to measure them. */
static void take_time(struct json_object *object, struct transcript_line *line) {
  const char *text = report_text_string(object, "timestamp", "");
  const char *point = strchr(text, '.');
  int64_t second_ns = INT64_C(1000000000), unit_ns = second_ns;

  if (time_text_parse(text, &line->unix_ns) < 0) {
    line->unix_ns = 0;
    return;
  }
  line->unix_ns -= line->unix_ns % second_ns;
  for (point = point ? point + 1 : ""; *point >= '0' && *point <= '9' && unit_ns > 1; point++) {
    unit_ns /= 10;
    line->unix_ns += (*point - '0') * unit_ns;
  }
}

static int64_t sum_of(int64_t a, int64_t b) {
  if (a == USAGE_UNREADABLE || b == USAGE_UNREADABLE)
    return USAGE_UNREADABLE;
  return a < 0 ? b : b < 0 ? a : a + b;
}

/* The i-th block of a message's content, or NULL after the last one. */
static struct json_object *block_of(struct json_object *message, const char *name, size_t i) {
  struct json_object *blocks = report_text_member(message, name);

  return json_object_is_type(blocks, json_type_array) && i < json_object_array_length(blocks)
             ? json_object_array_get_idx(blocks, i)
             : NULL;
}

/* ---- Claude Code ----------------------------------------------------------------------------- */

/* The API's input tokens exclude those read from or written to a cache. */
static void read_claude_call(struct transcript *transcript, struct json_object *message) {
  struct json_object *usage = report_text_member(message, "usage");
  const char *id = report_text_string(message, "id", "");
  struct usage_tokens tokens = usage_nothing_said;

  if (*id == '\0') /* how many lines have the same call is unknown */
    usage = NULL;
  tokens.cache_read = number_of(usage, "cache_read_input_tokens");
  tokens.cache_write = number_of(usage, "cache_creation_input_tokens");
  tokens.input = number_of(usage, "input_tokens");
  if (tokens.input >= 0)
    tokens.input = sum_of(tokens.input, sum_of(tokens.cache_read, tokens.cache_write));
  tokens.output = number_of(usage, "output_tokens");
  tokens.reasoning =
      number_of(report_text_member(usage, "output_tokens_details"), "thinking_tokens");
  usage_add_call(&transcript->usage, id_of(id), &tokens,
                 report_text_string(message, "model", NULL));
}

static void read_claude_answer(struct transcript *transcript, struct json_object *document,
                               struct transcript_line *line) {
  struct json_object *message = report_text_member(document, "message"), *block;
  const char *reason = report_text_string(message, "stop_reason", "");

  if (is_true(document, "isApiErrorMessage")) {
    line->step = TRANSCRIPT_FAILED;
    take_word(document, "error", line->error, HOOK_WORD_MAX);
    return;
  }
  if (strcmp(report_text_string(message, "model", ""), "<synthetic>") == 0)
    return; /* written by the host itself */
  line->step = strcmp(reason, "tool_use") == 0 || strcmp(reason, "pause_turn") == 0
                   ? TRANSCRIPT_TOOL
                   : TRANSCRIPT_ANSWER;
  for (size_t i = 0; (block = block_of(message, "content", i)) != NULL; i++)
    if (is_type(block, "tool_use"))
      line->step = TRANSCRIPT_TOOL;
  line->is_final = line->step == TRANSCRIPT_ANSWER && *reason != '\0';
  bool is_first = transcript->since_ns > 0 && line->unix_ns >= transcript->since_ns;
  if (line->is_copied || is_first) { /* what stands before it is copied, too */
    bool is_partial = is_first && transcript->usage.is_partial;

    usage_clear(&transcript->usage);
    transcript->usage.is_partial = is_partial;
    transcript->since_ns = is_first ? 0 : transcript->since_ns;
  }
  if (!line->is_copied)
    read_claude_call(transcript, message);
}

/* Prompts, results of tools, and the host's note that the user interrupted the turn. */
static void read_claude_user(struct transcript *transcript, struct json_object *document,
                             struct transcript_line *line) {
  static const char interrupted[] = "[Request interrupted by user";
  struct json_object *message = report_text_member(document, "message"), *block;
  const char *text = report_text_string(message, "content", "");

  take_word(document, "promptId", line->turn, HOOK_ID_MAX);
  line->step = is_true(document, "isMeta") || is_true(document, "isCompactSummary")
                   ? TRANSCRIPT_OTHER
                   : TRANSCRIPT_PROMPT;
  for (size_t i = 0; (block = block_of(message, "content", i)) != NULL; i++) {
    if (is_type(block, "text"))
      text = report_text_string(block, "text", "");
    if (!is_type(block, "tool_result"))
      continue;
    line->step = TRANSCRIPT_TOOL;
    usage_set_tool_errors(&transcript->usage, id_in(transcript, block, "tool_use_id"),
                          is_true(block, "is_error"));
  }
  if (strncmp(text, interrupted, sizeof interrupted - 1) == 0)
    line->step = TRANSCRIPT_ABORTED;
}

/* A forked session begins with a copy of its parent's messages, under its own id and with the id of
 * its own first prompt; the answers in it name the session that asked for them, but not yet in
 * 2.1.290. */
static bool is_of_another_session(struct json_object *document) {
  const char *own = report_text_string(document, "sessionId", "");

  return strcmp(report_text_string(document, "requestSessionId", own), own) != 0;
}

static void read_claude(struct transcript *transcript, struct json_object *document,
                        struct transcript_line *line) {
  bool is_answer = is_type(document, "assistant");

  if ((!is_answer && !is_type(document, "user")) ||
      (is_true(document, "isSidechain") && !transcript->is_agents_own))
    return;
  take_time(document, line);
  take_word(document, "sessionId", line->session, HOOK_ID_MAX);
  take_word(document, "agentId", line->agent_id, HOOK_ID_MAX);
  take_word(document, "attributionAgent", line->agent_name, HOOK_WORD_MAX);
  take_word(document, "version", line->version, HOOK_WORD_MAX);
  line->folder = report_text_string(document, "cwd", NULL);
  line->is_copied = is_answer && is_of_another_session(document);
  if (is_answer)
    read_claude_answer(transcript, document, line);
  else
    read_claude_user(transcript, document, line);
}

/* ---- Codex ----------------------------------------------------------------------------------- */

static struct usage_tokens codex_tokens_of(struct json_object *told) {
  return (struct usage_tokens){
      .input = number_of(told, "input_tokens"),
      .output = number_of(told, "output_tokens"),
      .cache_read = number_of(told, "cached_input_tokens"),
      .cache_write = number_of(told, "cache_write_input_tokens"),
      .reasoning = number_of(told, "reasoning_output_tokens"),
  };
}

/* One event per call, with an id; written since 2026 beside the counts, which are then ignored. */
static void read_codex_record(struct transcript *transcript, struct json_object *record) {
  struct json_object *told = report_text_member(record, "usage");
  struct usage_tokens tokens = codex_tokens_of(told);

  if (!transcript->has_records)
    transcript->usage.count = 0;
  transcript->has_records = true;
  usage_add_call(&transcript->usage, id_in(transcript, record, "response_id"), &tokens,
                 transcript->model);
}

/* The count is repeated whenever a limit changes: it is another call only when the session's total
 * has also changed. */
static void read_codex_count(struct transcript *transcript, struct json_object *event) {
  struct json_object *info = report_text_member(event, "info");
  struct json_object *total = report_text_member(info, "total_token_usage");
  struct json_object *last = report_text_member(info, "last_token_usage");
  int64_t all = sum_of(number_of(total, "input_tokens"), number_of(total, "output_tokens"));

  if (!json_object_is_type(info, json_type_object) || (all >= 0 && all == transcript->total_tokens))
    return; /* only a limit */
  transcript->total_tokens = all;
  struct usage_tokens tokens = codex_tokens_of(last);
  if (!transcript->has_records)
    usage_add_call(&transcript->usage, transcript->ordinal, &tokens, transcript->model);
}

static void read_codex_event(struct transcript *transcript, struct json_object *event,
                             struct transcript_line *line) {
  struct json_object *error = report_text_member(event, "error");

  take_word(event, "turn_id", line->turn, HOOK_ID_MAX);
  if (is_type(event, "token_count")) {
    line->step = TRANSCRIPT_ANSWER;
    read_codex_count(transcript, event);
  } else if (is_type(event, "task_started")) {
    line->step = TRANSCRIPT_PROMPT;
    transcript->is_compacted = false;
  } else if (is_type(event, "task_complete")) {
    line->step = error ? TRANSCRIPT_FAILED : TRANSCRIPT_COMPLETED;
    /* one that was asked for; else the turn goes on after it, to an answer */
    line->is_upkeep = transcript->is_compacted && !report_text_member(event, "last_agent_message");
    take_word(error, "codex_error_info", line->error, HOOK_WORD_MAX);
  } else if (is_type(event, "turn_aborted")) {
    line->step = TRANSCRIPT_ABORTED;
  }
}

static void read_codex_meta(struct json_object *meta, struct transcript_line *line) {
  struct json_object *source = report_text_member(meta, "source");
  struct json_object *subagent = report_text_member(source, "subagent");
  struct json_object *spawned = report_text_member(subagent, "thread_spawn");
  bool is_review = strcmp(report_text_string(source, "subagent", ""), "review") == 0;

  take_word(meta, "id", line->session, HOOK_ID_MAX);
  take_word(meta, "cli_version", line->version, HOOK_WORD_MAX);
  if (subagent && !is_review) /* without a name, unless it was spawned: Codex's own */
    take_word(meta, "id", line->agent_id, HOOK_ID_MAX);
  if (spawned) {
    take_word(spawned, "parent_thread_id", line->session, HOOK_ID_MAX);
    snprintf(line->agent_name, sizeof line->agent_name, "default");
    take_word(spawned, "agent_role", line->agent_name, HOOK_WORD_MAX);
  }
  take_word(meta, "session_id", line->session, HOOK_ID_MAX); /* of a review, too */
  line->folder = report_text_string(meta, "cwd", NULL);
}

static void read_codex(struct transcript *transcript, struct json_object *document,
                       struct transcript_line *line) {
  struct json_object *payload = report_text_member(document, "payload");

  take_time(document, line);
  if (is_type(document, "session_meta")) {
    read_codex_meta(payload, line);
  } else if (is_type(document, "turn_context")) {
    take_word(payload, "model", transcript->model, HOOK_WORD_MAX);
    take_word(payload, "turn_id", line->turn, HOOK_ID_MAX);
    line->folder = report_text_string(payload, "cwd", NULL);
  } else if (is_type(document, "compacted")) {
    transcript->is_compacted = true;
  } else if (is_type(document, "token_usage_record")) {
    line->step = TRANSCRIPT_ANSWER;
    read_codex_record(transcript, payload);
  } else if (is_type(document, "event_msg")) {
    read_codex_event(transcript, payload, line);
  }
}

/* ---- Gemini CLI ------------------------------------------------------------------------------ */

/* `candidates` may or may not include the reasoning; the total shows which. */
static struct usage_tokens tokens_of(int64_t input, int64_t output, int64_t cached,
                                     int64_t reasoning, int64_t total) {
  struct usage_tokens tokens = {.input = input,
                                .output = output,
                                .cache_read = cached,
                                .cache_write = USAGE_NOT_SAID,
                                .reasoning = reasoning};

  if (input >= 0 && output >= 0 && total > input + output)
    tokens.output = total - input;
  return tokens;
}

static void read_gemini_answer(struct transcript *transcript, struct json_object *document,
                               struct transcript_line *line) {
  struct json_object *told = report_text_member(document, "tokens"), *use;
  const char *model = report_text_string(document, "model", NULL);
  uint64_t id = id_in(transcript, document, "id");
  uint32_t tool_errors = 0;
  size_t uses = 0;

  for (; (use = block_of(document, "toolCalls", uses)) != NULL; uses++)
    tool_errors += strcmp(report_text_string(use, "status", ""), "error") == 0;
  /* the tools are written when they have finished; until then there is an answer without words */
  bool is_silent = strcmp(report_text_string(document, "content", "-"), "") == 0;
  line->step = uses > 0 || is_silent ? TRANSCRIPT_TOOL : TRANSCRIPT_ANSWER;
  if (!told && !model)
    return; /* written by the host itself */
  int64_t input = number_of(told, "input");
  if (input >= 0)
    input = sum_of(input, number_of(told, "tool"));
  struct usage_tokens tokens =
      tokens_of(input, number_of(told, "output"), number_of(told, "cached"),
                number_of(told, "thoughts"), number_of(told, "total"));
  usage_add_call(&transcript->usage, id, &tokens, model);
  usage_set_tool_errors(&transcript->usage, id, tool_errors);
}

static void read_gemini(struct transcript *transcript, struct json_object *document,
                        struct transcript_line *line) {
  struct json_object *block;

  take_time(document, line);
  take_word(document, "sessionId", line->session, HOOK_ID_MAX);
  block = block_of(document, "directories", 0);
  if (json_object_is_type(block, json_type_string))
    line->folder = json_object_get_string(block);
  if (is_type(document, "gemini")) {
    read_gemini_answer(transcript, document, line);
  } else if (is_type(document, "error")) {
    line->step = TRANSCRIPT_FAILED;
  } else if (is_type(document, "user")) {
    line->step = TRANSCRIPT_PROMPT;
    for (size_t i = 0; (block = block_of(document, "content", i)) != NULL; i++)
      if (report_text_member(block, "functionResponse"))
        line->step = TRANSCRIPT_TOOL;
  }
}

/* ---- Qwen Code ------------------------------------------------------------------------------- */

static void read_qwen(struct transcript *transcript, struct json_object *document,
                      struct transcript_line *line) {
  struct json_object *told = report_text_member(document, "usageMetadata"), *block;
  struct json_object *outcome = report_text_member(document, "toolCallResult");
  struct json_object *message = report_text_member(document, "message");
  const char *model = report_text_string(document, "model", NULL);

  if (is_true(document, "isSidechain") && !transcript->is_agents_own)
    return;
  take_time(document, line);
  take_word(document, "sessionId", line->session, HOOK_ID_MAX);
  if (is_type(document, "user")) {
    line->step = TRANSCRIPT_PROMPT;
  } else if (is_type(document, "tool_result")) {
    line->step = TRANSCRIPT_TOOL;
    usage_set_tool_errors(&transcript->usage, id_in(transcript, outcome, "callId"),
                          strcmp(report_text_string(outcome, "status", ""), "error") == 0);
  } else if (is_type(document, "assistant")) {
    line->step = TRANSCRIPT_ANSWER;
    for (size_t i = 0; (block = block_of(message, "parts", i)) != NULL; i++)
      if (report_text_member(block, "functionCall"))
        line->step = TRANSCRIPT_TOOL;
    struct usage_tokens tokens =
        tokens_of(number_of(told, "promptTokenCount"), number_of(told, "candidatesTokenCount"),
                  number_of(told, "cachedContentTokenCount"), number_of(told, "thoughtsTokenCount"),
                  number_of(told, "totalTokenCount"));
    if (told || model)
      usage_add_call(&transcript->usage, id_in(transcript, document, "uuid"), &tokens, model);
  }
}

/* ---------------------------------------------------------------------------------------------- */

static const struct transcript_format formats[] = {
    {.host = "claude-code",
     .marks = {"\"assistant\"", "\"user\""},
     .tells_tool_errors = true,
     .keeps_folder = true,
     .read = read_claude},
    {.host = "codex",
     .marks = {"\"token_count\"", "\"turn_context\"", "\"session_meta\"", "\"task_started\"",
               "\"task_complete\"", "\"turn_aborted\"", "\"token_usage_record\"", "\"compacted\""},
     .says_end = true,
     .has_own_turns = true,
     .read = read_codex},
    {.host = "gemini",
     .marks = {"\"gemini\"", "\"user\"", "\"error\"", "\"sessionId\""},
     .tells_tool_errors = true,
     .read = read_gemini},
    {.host = "qwen",
     .marks = {"\"assistant\"", "\"user\"", "\"tool_result\""},
     .tells_tool_errors = true,
     .read = read_qwen},
};

const struct transcript_format *transcript_format_find(const char *host) {
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
    if (strcmp(formats[i].host, host) == 0)
      return &formats[i];
  return NULL;
}
