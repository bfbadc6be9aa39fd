/* hook_event.c - a payload read as an event: which host, what happened, to which turn.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_event.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hook_fingerprint.h"
#include "base/time_text.h"
#include "hooks/hook_detect.h"
#include "hooks/hook_payload.h"

static const double DURATION_MAX_MS = 30.0 * 86400 * 1000;

static bool is_empty(struct json_object *value) {
  return !value ||
         (json_object_is_type(value, json_type_array) && json_object_array_length(value) == 0) ||
         (json_object_is_type(value, json_type_string) && json_object_get_string_len(value) == 0);
}

struct json_object *hook_event_field(const struct hook_event *event, enum hook_field field) {
  const char *const *names = event->host->fields[field];

  for (size_t i = 0; i < HOOK_FIELD_NAMES_MAX && names[i]; i++) {
    struct json_object *value = NULL;

    if (hook_payload_find(event->payload, names[i], &value) && !is_empty(value))
      return value;
  }
  return NULL;
}

static const char *field_text(const struct hook_event *event, enum hook_field field) {
  return hook_payload_text(hook_event_field(event, field));
}

double hook_event_number(const struct hook_event *event, enum hook_field field) {
  struct json_object *value = hook_event_field(event, field);

  if (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double))
    return 0;
  double number = json_object_get_double(value);
  return isfinite(number) && number > 0 ? number : 0;
}

/* Only words are accepted: when a host puts prose into such a field, nothing of it is kept. */
static void take_word(const struct hook_event *event, enum hook_field field, char *out,
                      size_t max) {
  const char *text = field_text(event, field);
  bool fits = text && hook_redact_is_word(text, max) && !hook_redact_is_secret(text);
  snprintf(out, max + 1, "%s", fits ? text : "");
}

/* An id that is too long, or may say more than an id, is replaced by a fingerprint of it. */
static void take_id(const struct hook_event *event, enum hook_field field, const uint8_t *key,
                    char out[HOOK_ID_MAX + 1]) {
  struct json_object *value = hook_event_field(event, field);
  const char *text = hook_payload_text(value);
  size_t len = text ? strlen(text) : 0;

  take_word(event, field, out, HOOK_ID_MAX);
  if (json_object_is_type(value, json_type_string))
    len = (size_t)json_object_get_string_len(value);
  if (text && key && (out[0] == '\0' || len != strlen(text)))
    snprintf(out, HOOK_ID_MAX + 1, "%016" PRIx64, hook_fingerprint(key, text, len));
}

static void take_model(struct hook_event *event) {
  const char *text = field_text(event, HOOK_FIELD_MODEL);
  bool fits = text && hook_redact_is_model(text, HOOK_WORD_MAX) && !hook_redact_is_secret(text);

  snprintf(event->model, sizeof event->model, "%s", fits ? text : "");
}

/* One moment becomes one text, however the host's events write it. */
static void take_stamp(struct hook_event *event) {
  int64_t unix_ns = 0;

  take_word(event, HOOK_FIELD_STAMP, event->stamp, HOOK_WORD_MAX);
  if (event->host->stamp_in_ms && time_text_parse(event->stamp, &unix_ns) == 0 &&
      strchr(event->stamp, 'T'))
    snprintf(event->stamp, sizeof event->stamp, "%" PRId64, unix_ns / 1000000);
}

static bool is_true(const struct hook_event *event, enum hook_field field) {
  struct json_object *value = hook_event_field(event, field);

  return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
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
    {"stop", HOOK_COMPLETED},
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
  bool says_success = json_object_is_type(success, json_type_boolean);
  bool failed = says_success && !json_object_get_boolean(success);
  if (told != HOOK_UNKNOWN)
    return failed && told == HOOK_COMPLETED ? HOOK_FAILED : told;
  if (says_success)
    return failed ? HOOK_FAILED : HOOK_COMPLETED;
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
  struct json_object *value = NULL;

  if (strcmp(event->host->name, "copilot") != 0)
    return NULL;
  if (hook_payload_find(event->payload, "stopReason", &value))
    return hook_payload_find(event->payload, "agentName", &value) ? "subagentStop" : "agentStop";
  for (size_t i = 0; i < sizeof tells / sizeof tells[0]; i++)
    if (hook_payload_find(event->payload, tells[i].field, &value))
      return tells[i].name;
  return NULL;
}

static int read_name(struct hook_event *event, const char *given, struct problem *problem) {
  const char *name = field_text(event, HOOK_FIELD_EVENT);

  name = name ? name : given ? given : event_by_fields(event);
  if (!name || !hook_redact_is_word(name, HOOK_WORD_MAX))
    return problem_set(problem, EXIT_CODE_FAILED, "the payload of %s does not name its event",
                       event->host->name);
  snprintf(event->name, sizeof event->name, "%s", name);
  event->kind = hook_host_kind(event->host, name);
  return 0;
}

/* An error that the host may recover from ends nothing by itself: the end of the turn decides. The
 * agent deals with an error of a tool. */
static void settle_error(struct hook_event *event) {
  const char *place = field_text(event, HOOK_FIELD_ERROR_PLACE);

  if (event->kind != HOOK_ERROR)
    return;
  if (place && strcmp(place, "tool_execution") == 0)
    event->kind = HOOK_IGNORED;
  else if (!is_true(event, HOOK_FIELD_ERROR_GOES_ON))
    event->kind = HOOK_TURN_FAILURE;
}

/* A turn of a subagent is its run; its session is then the one it was started in. */
static void settle_agent(struct hook_event *event, const uint8_t *key) {
  char parent[HOOK_ID_MAX + 1];
  bool tells_parent = event->host->fields[HOOK_FIELD_PARENT][0] != NULL;
  bool is_turns = event->kind == HOOK_TURN_START || event->kind == HOOK_TURN_END ||
                  event->kind == HOOK_TURN_FAILURE || event->kind == HOOK_TURN_ABORTED;
  take_id(event, HOOK_FIELD_PARENT, key, parent);
  event->is_agents = event->kind == HOOK_AGENT_START || event->kind == HOOK_AGENT_END ||
                     (event->agent_id[0] != '\0' && (!tells_parent || parent[0] != '\0'));
  if (event->is_agents && parent[0] != '\0')
    snprintf(event->session, sizeof event->session, "%s", parent);
  if (event->is_agents && is_turns)
    event->kind = event->kind == HOOK_TURN_START ? HOOK_AGENT_START : HOOK_AGENT_END;
}

/* What is asked: nothing when the host continues by itself, or for its own needs. */
static void settle_prompt(struct hook_event *event) {
  const char *const *names = event->host->fields[HOOK_FIELD_ASKED];
  const char *asked = field_text(event, HOOK_FIELD_ASKED);
  const char *own = event->host->own_prompt;
  struct json_object *value = NULL;

  event->is_blank = !asked && names[0] && hook_payload_find(event->payload, names[0], &value) &&
                    json_object_is_type(value, json_type_string);
  if (own && asked && strncmp(asked, own, strlen(own)) == 0)
    event->kind = HOOK_IGNORED;
}

static bool is_one_of(const char *word, const char *const *words) {
  for (; *words; words++)
    if (strcmp(word, *words) == 0)
      return true;
  return false;
}

static void read_fields(struct hook_event *event, const uint8_t *key) {
  const char *agent_name = field_text(event, HOOK_FIELD_AGENT_NAME);
  const char *source = field_text(event, HOOK_FIELD_SOURCE);
  double duration_ms = hook_event_number(event, HOOK_FIELD_DURATION_MS);

  take_id(event, HOOK_FIELD_SESSION, key, event->session);
  take_id(event, HOOK_FIELD_TURN, key, event->turn);
  take_id(event, HOOK_FIELD_AGENT_ID, key, event->agent_id);
  take_word(event, HOOK_FIELD_VERSION, event->version, HOOK_WORD_MAX);
  take_word(event, HOOK_FIELD_STATUS, event->status, HOOK_WORD_MAX);
  take_word(event, HOOK_FIELD_ERROR, event->error, HOOK_WORD_MAX);
  take_stamp(event);
  take_model(event);
  if (agent_name && !hook_redact_is_secret(agent_name))
    hook_redact_text(agent_name, event->agent_name);
  event->folder = field_text(event, HOOK_FIELD_FOLDER);
  event->duration_s = duration_ms <= DURATION_MAX_MS ? round(duration_ms * 1000) / 1e6 : 0;
  event->is_continued = is_true(event, HOOK_FIELD_CONTINUED);
  event->is_resumed = !source || !is_one_of(source, (const char *const[]){"compact", "clear",
                                                                          "startup", "new", NULL});
}

int hook_event_read(struct json_object *payload, const struct hook_host *host, const char *name,
                    const uint8_t *key, struct hook_event *event, struct problem *problem) {
  memset(event, 0, sizeof *event);
  event->payload = payload;
  event->host = host ? hook_detect_guest(payload, host) : hook_detect_host(payload);
  if (read_name(event, name, problem) < 0)
    return -1;
  read_fields(event, key);
  event->outcome = read_outcome(event);
  settle_error(event);
  settle_agent(event, key);
  settle_prompt(event);
  return 0;
}
