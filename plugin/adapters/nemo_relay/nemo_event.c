/* nemo_event.c - one event of the host's, read.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "adapters/nemo_relay/nemo_event.h"

#include <string.h>

#include "common/timestamp.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_US INT64_C(1000)

/* ---- the event ------------------------------------------------------------------------------- */

/* RFC 3339, or microseconds since 1970. */
static int64_t parse_time(struct json_value value) {
  char text[64];
  int64_t seconds, ns = 0, unit = NS_PER_S / 10;

  if (value.type == JSON_NUMBER)
    return json_value_integer(value, &seconds) == 1 && seconds > 0 &&
                   seconds <= INT64_MAX / NS_PER_US
               ? seconds * NS_PER_US
               : 0;
  size_t len = value.type == JSON_STRING ? json_value_decode_bounded(value, text, sizeof text) : 0;
  if (len == 0 || len > sizeof text || timestamp_parse((struct span){text, len}, &seconds) != 0 ||
      seconds >= INT64_MAX / NS_PER_S)
    return 0;
  const char *fraction = memchr(text, '.', len);
  for (const char *at = fraction ? fraction + 1 : text + len;
       at < text + len && *at >= '0' && *at <= '9'; at++, unit /= 10)
    ns += (*at - '0') * unit;
  return seconds * NS_PER_S + ns;
}

static bool is_text(struct json_value value, const char *text) {
  char decoded[16];
  size_t len =
      value.type == JSON_STRING ? json_value_decode_bounded(value, decoded, sizeof decoded) : 0;

  return len == strlen(text) && len <= sizeof decoded && memcmp(decoded, text, len) == 0;
}

static enum nemo_category category_of(struct json_value value, struct json_value metadata) {
  char role[16];

  if (is_text(value, "agent"))
    return NEMO_AGENT;
  if (is_text(value, "llm"))
    return NEMO_LLM;
  if (is_text(value, "tool"))
    return NEMO_TOOL;
  return nemo_json_text(metadata, "nemo_relay_scope_role", role, sizeof role) &&
                 strcmp(role, "turn") == 0
             ? NEMO_TURN
             : NEMO_OTHER;
}

int nemo_event_read(struct nemo_event *event, struct span text) {
  struct json_value kind = {.type = JSON_NULL}, phase = kind, category = kind, uuid = kind,
                    parent = kind, time = kind;
  const struct {
    const char *name;
    struct json_value *value;
  } members[] = {
      {"kind", &kind},        {"scope_category", &phase},     {"category", &category},
      {"uuid", &uuid},        {"parent_uuid", &parent},       {"timestamp", &time},
      {"name", &event->name}, {"metadata", &event->metadata}, {"category_profile", &event->profile},
      {"data", &event->data},
  };
  struct json_reader reader;
  struct json_member member;
  int more;

  *event = (struct nemo_event){.phase = NEMO_NO_SCOPE};
  if (json_reader_open(&reader, text, JSON_LENIENT, JSON_DEPTH_LIMIT, NULL) != 0)
    return -1;
  while ((more = json_reader_next(&reader, &member, NULL)) == 1)
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
      if (json_value_is_named(&member, members[i].name))
        *members[i].value = member.value;
  if (more < 0)
    return -1;
  if (!is_text(kind, "scope"))
    return 0;
  bool is_start = is_text(phase, "start");
  if ((!is_start && !is_text(phase, "end")) ||
      !nemo_json_decode(uuid, event->uuid, sizeof event->uuid))
    return -1;
  event->phase = is_start ? NEMO_SCOPE_START : NEMO_SCOPE_END;
  event->category = category_of(category, event->metadata);
  (void)nemo_json_decode(parent, event->parent, sizeof event->parent);
  event->time_ns = parse_time(time);
  return 0;
}

/* ---- how it ended ---------------------------------------------------------------------------- */

/* What hosts and applications write into `status`.  The last ones are the gateway's: it closed a
 * turn whose end nobody reported. */
static const struct {
  const char *word;
  enum nemo_outcome outcome;
} states[] = {
    {"ok", NEMO_COMPLETED},
    {"success", NEMO_COMPLETED},
    {"completed", NEMO_COMPLETED},
    {"error", NEMO_FAILED},
    {"failed", NEMO_FAILED},
    {"failure", NEMO_FAILED},
    {"timeout", NEMO_TIMED_OUT},
    {"timed_out", NEMO_TIMED_OUT},
    {"aborted", NEMO_ABORTED},
    {"cancelled", NEMO_ABORTED},
    {"canceled", NEMO_ABORTED},
    {"interrupted", NEMO_ABORTED},
    {"superseded_by_next_turn", NEMO_ABORTED},
    {"closed_by_agent_end", NEMO_ABORTED},
    {"idle_timeout", NEMO_ABORTED},
};

static enum nemo_outcome state_of(struct json_value object) {
  char word[NEMO_WORD_SIZE];

  if (nemo_json_word(object, "status", word, sizeof word))
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
      if (strcmp(word, states[i].word) == 0)
        return states[i].outcome;
  return NEMO_NOT_TOLD;
}

/* One of the fields is present, and neither null, false, 0 nor an empty text. */
static bool says_error(struct json_value object) {
  static const char *const names[] = {"error.type", "error_type", "exception.type", "error",
                                      "is_error"};
  struct json_value value;

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (nemo_json_find(object, names[i], &value) && value.type != JSON_FALSE &&
        !(value.type == JSON_STRING && value.raw.len == 2) &&
        !(value.type == JSON_NUMBER && json_value_number(value) == 0))
      return true;
  return false;
}

enum nemo_outcome nemo_event_outcome(const struct nemo_event *event,
                                     char error_type[NEMO_WORD_SIZE]) {
  static const char *const types[] = {"error.type", "error_type", "exception.type"};
  char code[NEMO_WORD_SIZE];
  enum nemo_outcome told;

  error_type[0] = '\0';
  (void)nemo_json_word(event->metadata, "otel.status_code", code, sizeof code);
  if (strcmp(code, "OK") == 0)
    return NEMO_COMPLETED;
  if (strcmp(code, "ERROR") == 0 || says_error(event->metadata) || says_error(event->data)) {
    for (size_t i = 0; error_type[0] == '\0' && i < sizeof types / sizeof *types; i++)
      (void)nemo_json_word(event->metadata, types[i], error_type, NEMO_WORD_SIZE);
    return NEMO_FAILED;
  }
  told = state_of(event->metadata);
  return told != NEMO_NOT_TOLD ? told : state_of(event->data);
}
