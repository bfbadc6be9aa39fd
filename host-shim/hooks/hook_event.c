/* hook_event.c - a payload read as an event: which host, what happened, to which turn.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_event.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 256 };
static const double DURATION_MAX_MS = 30.0 * 86400 * 1000;

struct json_object *hook_event_parse(const char *text, size_t len) {
  struct json_object *payload = NULL;
  struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);

  if (!tokener)
    return NULL;
  if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
    text += 3;
    len -= 3;
  }
  if (len < INT_MAX)
    payload = json_tokener_parse_ex(tokener, text, (int)len);
  json_tokener_free(tokener);
  if (json_object_is_type(payload, json_type_object))
    return payload;
  json_object_put(payload);
  return NULL;
}

/* `name` is a member's, or "a.b" for a member of a member. */
static struct json_object *find(struct json_object *object, const char *name) {
  char part[64];

  for (;;) {
    size_t len = strcspn(name, ".");
    struct json_object *member = NULL;

    if (len >= sizeof part || !json_object_is_type(object, json_type_object))
      return NULL;
    memcpy(part, name, len);
    part[len] = '\0';
    json_object_object_get_ex(object, part, &member);
    if (name[len] == '\0' || !member)
      return member;
    object = member;
    name += len + 1;
  }
}

static struct json_object *host_field(struct json_object *payload, const struct hook_host *host,
                                      enum hook_field field) {
  for (size_t i = 0; i < HOOK_FIELD_NAMES_MAX && host->fields[field][i]; i++) {
    struct json_object *value = find(payload, host->fields[field][i]);

    if (value)
      return value;
  }
  return NULL;
}

struct json_object *hook_event_field(const struct hook_event *event, enum hook_field field) {
  return host_field(event->payload, event->host, field);
}

/* A string, a whole number as its digits, or the first one of an array; NULL for anything else. */
static const char *text_of(struct json_object *value) {
  if (json_object_is_type(value, json_type_array) && json_object_array_length(value) > 0)
    value = json_object_array_get_idx(value, 0);
  if (json_object_is_type(value, json_type_string) || json_object_is_type(value, json_type_int))
    return json_object_get_string(value);
  return NULL;
}

double hook_event_number(const struct hook_event *event, enum hook_field field) {
  struct json_object *value = hook_event_field(event, field);

  if (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double))
    return 0;
  double number = json_object_get_double(value);
  return isfinite(number) && number > 0 ? number : 0;
}

/* Only words are taken over: where a host puts prose into such a field, nothing of it is kept. */
static void take_word(const struct hook_event *event, enum hook_field field, char *out,
                      size_t max) {
  const char *text = text_of(hook_event_field(event, field));
  bool fits = text && hook_redact_is_word(text, max) && !hook_redact_is_secret(text);
  snprintf(out, max + 1, "%s", fits ? text : "");
}

static bool is_true(const struct hook_event *event, enum hook_field field) {
  struct json_object *value = hook_event_field(event, field);

  return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

static bool has_text(struct json_object *payload, const char *name) {
  return text_of(find(payload, name)) != NULL;
}

static bool is_event(struct json_object *payload, const char *name, const struct hook_host *host) {
  const char *event = text_of(find(payload, name));

  return event && hook_host_knows(host, event);
}

/* From the fields that only one host has to those that several share. */
const struct hook_host *hook_event_detect(struct json_object *payload) {
  const struct hook_host *gemini = hook_host_find("gemini");
  const char *event = text_of(find(payload, "hook_event_name"));

  if (has_text(payload, "thread-id") || has_text(payload, "turn-id") ||
      is_event(payload, "type", hook_host_find("codex-notify")))
    return hook_host_find("codex-notify");
  if (is_event(payload, "type", hook_host_find("opencode")))
    return hook_host_find("opencode");
  if (is_event(payload, "type", hook_host_find("openclaw")) ||
      is_event(payload, "event", hook_host_find("openclaw")))
    return hook_host_find("openclaw");
  if (has_text(payload, "conversation_id") &&
      (has_text(payload, "generation_id") || has_text(payload, "cursor_version")))
    return hook_host_find("cursor");
  if (has_text(payload, "sessionId"))
    return hook_host_find("copilot");
  if (!event && is_event(payload, "event_type", hook_host_find("openhands")))
    return hook_host_find("openhands");
  if (!event && is_event(payload, "event", hook_host_find("goose")))
    return hook_host_find("goose");
  if (!event)
    return NULL;
  if (has_text(payload, "turn_id") && hook_host_knows(hook_host_find("codex"), event))
    return hook_host_find("codex");
  if (hook_host_kind(gemini, event) == HOOK_TURN_START ||
      hook_host_kind(gemini, event) == HOOK_TURN_END ||
      (hook_host_knows(gemini, event) && has_text(payload, "timestamp") &&
       has_text(payload, "transcript_path")))
    return gemini;
  if (has_text(payload, "timestamp") && hook_host_knows(hook_host_find("copilot"), event))
    return hook_host_find("copilot");
  return hook_host_knows(hook_host_find("claude-code"), event) ? hook_host_find("claude-code")
                                                               : NULL;
}

/* Cursor and Copilot also run the hooks of Claude Code's settings: their turns are their own, under
 * whichever name. */
static const struct hook_host *actual_host(struct json_object *payload,
                                           const struct hook_host *given) {
  const struct hook_host *told = hook_event_detect(payload);
  if (!given)
    return told;
  bool is_guest = told && (strcmp(told->name, "cursor") == 0 || strcmp(told->name, "copilot") == 0);
  return is_guest && strcmp(given->name, "claude-code") == 0 ? told : given;
}

static const struct {
  const char *word;
  enum hook_outcome outcome;
} outcome_words[] = {
    {"completed", HOOK_COMPLETED},
    {"complete", HOOK_COMPLETED},
    {"success", HOOK_COMPLETED},
    {"end_turn", HOOK_COMPLETED},
    {"ok", HOOK_COMPLETED},
    {"done", HOOK_COMPLETED},
    {"error", HOOK_FAILED},
    {"failed", HOOK_FAILED},
    {"failure", HOOK_FAILED},
    {"aborted", HOOK_ABORTED},
    {"abort", HOOK_ABORTED},
    {"cancelled", HOOK_ABORTED},
    {"canceled", HOOK_ABORTED},
    {"interrupted", HOOK_ABORTED},
    {"user_exit", HOOK_ABORTED},
    {"killed", HOOK_ABORTED},
    {"timeout", HOOK_TIMEOUT},
    {"timed_out", HOOK_TIMEOUT},
    {"MessageAbortedError", HOOK_ABORTED}, /* OpenCode has no other word for it */
};

static enum hook_outcome outcome_of(const char *word) {
  for (size_t i = 0; i < sizeof outcome_words / sizeof outcome_words[0]; i++)
    if (strcmp(outcome_words[i].word, word) == 0)
      return outcome_words[i].outcome;
  return HOOK_UNKNOWN;
}

const char *hook_event_outcome_word(enum hook_outcome outcome) {
  static const char *const words[] = {"", "completed", "failed", "aborted", "timeout"};

  return words[outcome];
}

/* The host's own word first, then true or false, then what the event itself means. */
static enum hook_outcome read_outcome(const struct hook_event *event) {
  enum hook_outcome told = outcome_of(event->status);
  struct json_object *success = hook_event_field(event, HOOK_FIELD_SUCCESS);

  if (event->kind == HOOK_TURN_ABORTED || outcome_of(event->error) == HOOK_ABORTED)
    return HOOK_ABORTED;
  if (event->kind == HOOK_TURN_FAILURE || event->kind == HOOK_ERROR)
    return told == HOOK_TIMEOUT ? HOOK_TIMEOUT : HOOK_FAILED;
  if (told != HOOK_UNKNOWN)
    return told;
  if (json_object_is_type(success, json_type_boolean))
    return json_object_get_boolean(success) ? HOOK_COMPLETED : HOOK_FAILED;
  bool should_say =
      event->host->fields[HOOK_FIELD_STATUS][0] || event->host->fields[HOOK_FIELD_SUCCESS][0];
  return event->host->says_outcome && !should_say ? HOOK_COMPLETED : HOOK_UNKNOWN;
}

/* Copilot's native payloads do not name their event; their fields do. */
static const char *event_by_fields(const struct hook_event *event) {
  static const struct {
    const char *field, *name;
  } tells[] = {{"error", "errorOccurred"},
               {"reason", "sessionEnd"},
               {"initialPrompt", "sessionStart"},
               {"source", "sessionStart"},
               {"prompt", "userPromptSubmitted"}};
  if (strcmp(event->host->name, "copilot") != 0)
    return NULL;
  if (find(event->payload, "stopReason"))
    return has_text(event->payload, "agentName") ? "subagentStop" : "agentStop";
  for (size_t i = 0; i < sizeof tells / sizeof tells[0]; i++)
    if (find(event->payload, tells[i].field))
      return tells[i].name;
  return NULL;
}

static int read_name(struct hook_event *event, const char *given, struct problem *problem) {
  const char *name = text_of(hook_event_field(event, HOOK_FIELD_EVENT));

  name = name ? name : given ? given : event_by_fields(event);
  if (!name || !hook_redact_is_word(name, HOOK_WORD_MAX))
    return problem_set(problem, EXIT_CODE_FAILED,
                       "the payload of %s does not say which event it is", event->host->name);
  snprintf(event->name, sizeof event->name, "%s", name);
  event->kind = hook_host_kind(event->host, name);
  return 0;
}

/* An error that the host works around ends nothing. */
static void settle_error(struct hook_event *event) {
  const char *context = text_of(find(event->payload, "errorContext"));
  bool goes_on = is_true(event, HOOK_FIELD_ERROR_GOES_ON) ||
                 (context && strcmp(context, "tool_execution") == 0);

  if (event->kind == HOOK_ERROR)
    event->kind = goes_on ? HOOK_IGNORED : HOOK_TURN_FAILURE;
}

static void read_fields(struct hook_event *event) {
  const char *agent_name = text_of(hook_event_field(event, HOOK_FIELD_AGENT_NAME));
  const char *source = text_of(hook_event_field(event, HOOK_FIELD_SOURCE));
  double duration_ms = hook_event_number(event, HOOK_FIELD_DURATION_MS);

  take_word(event, HOOK_FIELD_SESSION, event->session, HOOK_ID_MAX);
  take_word(event, HOOK_FIELD_TURN, event->turn, HOOK_ID_MAX);
  take_word(event, HOOK_FIELD_AGENT_ID, event->agent_id, HOOK_ID_MAX);
  take_word(event, HOOK_FIELD_STAMP, event->stamp, HOOK_WORD_MAX);
  take_word(event, HOOK_FIELD_MODEL, event->model, HOOK_WORD_MAX);
  take_word(event, HOOK_FIELD_VERSION, event->version, HOOK_WORD_MAX);
  take_word(event, HOOK_FIELD_STATUS, event->status, HOOK_WORD_MAX);
  take_word(event, HOOK_FIELD_ERROR, event->error, HOOK_WORD_MAX);
  if (agent_name && !hook_redact_is_secret(agent_name))
    hook_redact_text(agent_name, event->agent_name);
  event->folder = text_of(hook_event_field(event, HOOK_FIELD_FOLDER));
  event->duration_s = duration_ms <= DURATION_MAX_MS ? round(duration_ms * 1000) / 1e6 : 0;
  event->is_continued = is_true(event, HOOK_FIELD_CONTINUED);
  event->is_same_run = source && (strcmp(source, "compact") == 0 || strcmp(source, "clear") == 0);
}

int hook_event_read(struct json_object *payload, const struct hook_host *host, const char *name,
                    struct hook_event *event, struct problem *problem) {
  memset(event, 0, sizeof *event);
  event->payload = payload;
  event->host = actual_host(payload, host);
  if (!event->host)
    return problem_set(problem, EXIT_CODE_FAILED, "no known host writes such a payload");
  if (read_name(event, name, problem) < 0)
    return -1;
  read_fields(event);
  event->outcome = read_outcome(event);
  settle_error(event);
  return 0;
}
