/* execution_from_json.c - one execution from JSON text with the log's own keys.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * null for a field that may be absent means absent: that is how other languages write it.
 *
 * With KAIZEN_EXEC_KEEP_UNKNOWN a line of a log is read as every reader of logs reads it
 * (docs/format.md, "Lines that others wrote"): what this version does not know, or would refuse for
 * a new run, is kept as it was given. */
#include "record/execution_from_json.h"

#include <math.h>
#include <string.h>

#include "common/distance.h"
#include "common/timestamp.h"
#include "common/utf8.h"

enum field {
  FIELD_TIMESTAMP,
  FIELD_AGENT,
  FIELD_SESSION_ID,
  FIELD_TIME,
  FIELD_SUCCESS,
  FIELD_QUALITY,
  FIELD_PRIMARY,
  FIELD_METADATA,
  FIELD_KEY,
  FIELD_EVENT_ID,
  FIELD_EVENT,
  FIELD_HELIX_SESSION_UID, /* from here on: extra_json's */
  FIELD_REPO,
  FIELD_FLAVOR,
  FIELD_TOKENS,
  FIELD_SHARE,
  FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {"timestamp",
                                                     "agent",
                                                     "session_id",
                                                     "execution_time_s",
                                                     "success",
                                                     "quality_score",
                                                     "primary_metric",
                                                     "metadata",
                                                     "idempotency_key",
                                                     "event_id",
                                                     "event",
                                                     "helix_session_uid",
                                                     "repo",
                                                     "flavor",
                                                     "tokens",
                                                     "infra_overhead_share"};

/* ---- members by their place among `names` ---------------------------------------------------- */

struct names {
  const char *object; /* for messages */
  const char *const *names;
  size_t count;
};

static int refuse_name(const struct names *known, struct span name, const char *advice,
                       struct error *error) {
  char shown[UTF8_SHOWN_SIZE];

  return error_set(
      error, KAIZEN_E_REJECTED,
      "%s has no key \"%s\"; did you mean \"%s\"? Your own fields belong in metadata%s",
      known->object, utf8_show(name, shown), distance_nearest(name, known->names, known->count),
      advice);
}

/* As it was given, except for what breaks a line for Python, in the name too. */
static void append_member(struct buffer *out, const struct json_member *member) {
  const struct span quoted = {member->name.ptr - 1, member->name.len + 2};

  buffer_append_byte(out, ',');
  json_value_compact((struct json_value){JSON_STRING, quoted}, out);
  buffer_append_byte(out, ':');
  json_value_compact(member->value, out);
}

/* Where members go, and how strict it is about them. */
struct reading {
  struct execution *execution;
  struct execution_draft *draft;
  bool keep;    /* KAIZEN_EXEC_KEEP_UNKNOWN */
  bool lenient; /* the text is one that only lenient readers accept */
};

/* A member that is not ours: free for any use when it begins with x_, and kept when that is
 * wanted. */
static int take_unknown(struct reading *reading, const struct names *known,
                        const struct json_member *member, struct error *error) {
  char shown[UTF8_SHOWN_SIZE];
  bool anybodys = member->name.len > 2 && memcmp(member->name.ptr, "x_", 2) == 0;

  if (!reading->execution)
    return refuse_name(known, member->name, "", error);
  if (!reading->keep && !anybodys)
    return refuse_name(known, member->name, ", or must begin with x_", error);
  if (!reading->keep && (member->value.type == JSON_NULL || member->value.type == JSON_ARRAY ||
                         member->value.type == JSON_OBJECT))
    return error_set(error, KAIZEN_E_REJECTED,
                     "%s is not a string, number or boolean; put it into metadata",
                     utf8_show(member->name, shown));
  append_member(&reading->execution->others, member);
  return 0;
}

/* Of a text that only lenient readers accept, a value that Python's json could not read back, or a
 * name that comes again, is left out. */
static bool is_usable(const struct reading *reading, struct json_reader rest,
                      const struct json_member *member) {
  struct json_value value;
  struct json_member later;

  if (!reading->lenient)
    return true;
  if (json_reader_check(member->value.raw, JSON_STRICT, JSON_DEPTH_MAX - 1, &value, NULL) != 0)
    return false;
  while (json_reader_next(&rest, &later, NULL) > 0)
    if (span_equal(later.name, member->name))
      return false;
  return true;
}

/* `text` was checked; values[] is zeroed. */
static int collect(struct reading *reading, const struct names *known, struct span text,
                   struct json_value *values, struct error *error) {
  struct json_reader reader;
  struct json_member member;
  size_t place = 0;
  int found = json_reader_open(&reader, text, JSON_LENIENT, JSON_DEPTH_MAX, NULL);

  while (found == 0 && (found = json_reader_next(&reader, &member, NULL)) > 0) {
    size_t tried = 0; /* members mostly come in the table's order: continue where the last search
                       * ended */

    found = 0;
    if (!is_usable(reading, reader, &member))
      continue;
    for (; tried < known->count && !json_value_is_named(&member, known->names[place]); tried++)
      place = place + 1 < known->count ? place + 1 : 0;
    if (tried < known->count)
      values[place] = member.value;
    else if (take_unknown(reading, known, &member, error) != 0)
      return -1;
  }
  return found;
}

static bool is_absent(struct json_value value) {
  return !value.raw.ptr || value.type == JSON_NULL;
}

/* ---- values by type: a wrong one is named with what was given -------------------------------- */

static int refuse_type(const char *field, struct json_value value, const char *needed,
                       struct error *error) {
  static const char *const types[] = {"null",     "a boolean", "a boolean", "a number",
                                      "a string", "an array",  "an object"};
  char shown[UTF8_SHOWN_SIZE];
  if (!value.raw.ptr)
    return error_set(error, KAIZEN_E_REJECTED, "%s is missing; %s is needed", field, needed);
  if (value.type == JSON_NULL)
    return error_set(error, KAIZEN_E_REJECTED, "%s is null; %s is needed", field, needed);
  return error_set(error, KAIZEN_E_REJECTED, "%s is %s (%s); %s is needed", field,
                   types[value.type], utf8_show(value.raw, shown), needed);
}

/* Decodes into scratch, which has room for the whole text: its bytes stay where they are. */
static int take_string(const char *field, struct json_value value, struct buffer *scratch,
                       struct span *out, struct error *error) {
  size_t before = scratch->len;
  if (is_absent(value))
    return 0;
  if (value.type != JSON_STRING)
    return refuse_type(field, value, "a string", error);
  json_value_decode(value, scratch);
  *out = (struct span){scratch->data + before, scratch->len - before};
  return 0;
}

static int take_number(const char *field, struct json_value value, const char *needed, double *out,
                       bool *has, struct error *error) {
  char shown[UTF8_SHOWN_SIZE];
  if (is_absent(value))
    return 0;
  if (value.type != JSON_NUMBER)
    return refuse_type(field, value, needed, error);
  *out = json_value_number(value);
  if (!isfinite(*out))
    return error_set(error, KAIZEN_E_REJECTED, "%s is %s, too large for a double; %s is needed",
                     field, utf8_show(value.raw, shown), needed);
  *has = true;
  return 0;
}

static int take_timestamp(struct json_value value, struct buffer *scratch,
                          struct execution_draft *draft, struct error *error) {
  char shown[UTF8_SHOWN_SIZE];
  struct span text = {0};
  if (take_string("timestamp", value, scratch, &text, error) != 0)
    return -1;
  if (text.ptr && timestamp_parse(text, &draft->timestamp_s) != 0)
    return error_set(
        error, KAIZEN_E_REJECTED,
        "timestamp \"%s\" is not an ISO 8601 time with Z or an offset, years 1970 to 9999",
        utf8_show(text, shown));
  draft->has_timestamp = text.ptr != NULL;
  return 0;
}

static int take_success(struct json_value value, bool *out, struct error *error) {
  if (!value.raw.ptr || (value.type != JSON_TRUE && value.type != JSON_FALSE))
    return refuse_type("success", value, "true or false", error);
  *out = value.type == JSON_TRUE;
  return 0;
}

static int take_primary_parts(const struct json_value values[3], struct buffer *scratch,
                              struct execution_draft *draft, struct error *error) {
  if (is_absent(values[1]))
    return refuse_type("primary_metric.value", values[1], "a number", error);
  if (is_absent(values[0]))
    return refuse_type("primary_metric.name", values[0], "a string", error);
  return take_string("primary_metric.name", values[0], scratch, &draft->primary_name, error) != 0 ||
                 take_number("primary_metric.value", values[1], "a number", &draft->primary_value,
                             &draft->has_primary, error) != 0 ||
                 take_number("primary_metric.target", values[2], "a number", &draft->primary_target,
                             &draft->has_target, error) != 0
             ? -1
             : 0;
}

static int take_primary(struct json_value value, struct buffer *scratch,
                        struct execution_draft *draft, struct error *error) {
  static const char *const names[] = {"name", "value", "target"};
  static const struct names known = {"primary_metric", names, 3};
  struct reading strictly = {.draft = draft};
  struct json_value values[3] = {{0}};

  if (is_absent(value))
    return 0;
  if (value.type != JSON_OBJECT)
    return refuse_type("primary_metric", value, "an object {name, value, target}", error);
  if (collect(&strictly, &known, value.raw, values, error) == 0 &&
      take_primary_parts(values, scratch, draft, error) == 0)
    return 0;
  draft->has_primary = draft->has_target = false;
  draft->primary_name = (struct span){NULL, 0};
  return -1;
}

static int take_metadata(struct json_value value, struct execution_draft *draft,
                         struct error *error) {
  if (is_absent(value))
    return 0;
  if (value.type != JSON_OBJECT)
    return refuse_type("metadata", value, "an object", error);
  draft->metadata = value;
  return 0;
}

static int take_tokens(struct json_value value, struct execution_draft *draft,
                       struct error *error) {
  if (is_absent(value))
    return 0;
  if (!json_value_integer(value, &draft->tokens) || draft->tokens < 0)
    return refuse_type("tokens", value, "a whole number, 0 or more,", error);
  draft->has_tokens = true;
  return 0;
}

/* ---- the record ------------------------------------------------------------------------------ */

/* Of a field that was refused: true when it is kept as it was given instead. */
static bool is_kept(struct reading *reading, enum field field, struct json_value value) {
  struct buffer *others = &reading->execution->others;

  if (!reading->keep || !value.raw.ptr)
    return false;
  buffer_append(others, ",\"", 2);
  buffer_append_text(others, field_names[field]);
  buffer_append(others, "\":", 2);
  json_value_compact(value, others);
  return true;
}

static int take_field(struct reading *reading, enum field field, struct json_value value,
                      struct error *error) {
  struct execution_draft *draft = reading->draft;
  struct buffer *scratch = &reading->execution->scratch;

  switch (field) {
  case FIELD_TIMESTAMP:
    return take_timestamp(value, scratch, draft, error);
  case FIELD_SESSION_ID:
    return take_string("session_id", value, scratch, &draft->session_id, error);
  case FIELD_TIME:
    return take_number("execution_time_s", value, "a number", &draft->execution_time_s,
                       &draft->has_time, error);
  case FIELD_QUALITY:
    return take_number("quality_score", value, "a number from 0 to 1", &draft->quality_score,
                       &draft->has_quality, error);
  case FIELD_PRIMARY:
    return take_primary(value, scratch, draft, error);
  case FIELD_METADATA:
    return take_metadata(value, draft, error);
  case FIELD_KEY:
    if (reading->keep && value.type == JSON_STRING && value.raw.len <= 2)
      return -1; /* empty: no key */
    return take_string("idempotency_key", value, scratch, &draft->key, error);
  case FIELD_HELIX_SESSION_UID:
    return take_string("helix_session_uid", value, scratch, &draft->helix_session_uid, error);
  case FIELD_REPO:
    return take_string("repo", value, scratch, &draft->repo, error);
  case FIELD_FLAVOR:
    return take_string("flavor", value, scratch, &draft->flavor, error);
  case FIELD_TOKENS:
    return take_tokens(value, draft, error);
  case FIELD_SHARE:
    return take_number("infra_overhead_share", value, "a number", &draft->infra_overhead_share,
                       &draft->has_share, error);
  default:
    return 0; /* the two that are required, and the event's, which are ignored */
  }
}

static int take_fields(struct reading *reading, const struct json_value *values, int first,
                       struct error *error) {
  int field;

  for (field = first; field < FIELD_COUNT; field++) {
    struct json_value value = values[field];

    if (!value.raw.ptr || take_field(reading, (enum field)field, value, error) == 0)
      continue;
    if (!is_kept(reading, (enum field)field, value))
      return -1;
    if (field == FIELD_TIMESTAMP)
      reading->draft->timestamp_kept = true;
  }
  return 0;
}

/* Empty, with room for every string of a text of `len` bytes. */
static int prepare_scratch(struct buffer *scratch, size_t len, struct error *error) {
  buffer_clear(scratch);
  return buffer_reserve(scratch, len + 1) ? 0 : error_set(error, KAIZEN_E_NOMEM, "out of memory");
}

int execution_from_json_extra(struct execution *execution, struct execution_draft *draft,
                              struct span text, struct error *error) {
  const int first = FIELD_HELIX_SESSION_UID;
  const struct names known = {"extra_json", field_names + first, FIELD_COUNT - first};
  struct reading reading = {
      .execution = execution, .draft = draft, .keep = draft->flags & KAIZEN_EXEC_KEEP_UNKNOWN};
  struct json_value value, values[FIELD_COUNT] = {{0}};

  if (execution_draft_check_json("extra_json", text, 0, &value, error) != 0 ||
      collect(&reading, &known, value.raw, values + first, error) != 0 ||
      prepare_scratch(&execution->scratch, text.len, error) != 0)
    return -1;
  return take_fields(&reading, values, first, error);
}

/* One object; with `keep` also one that only lenient readers accept. */
static int check_record(struct reading *reading, struct span text, struct json_value *value,
                        struct error *error) {
  if (execution_draft_check_json("the record", text, 0, value, error) == 0)
    return 0;
  reading->lenient = reading->keep &&
                     json_reader_check(text, JSON_LENIENT, JSON_DEPTH_MAX, value, NULL) == 0 &&
                     value->type == JSON_OBJECT;
  return reading->lenient ? 0 : -1;
}

int execution_from_json(struct execution *execution, struct span text, uint32_t exec_flags,
                        const struct execution_limits *limits, struct error *error) {
  static const struct names known = {"a record", field_names, FIELD_COUNT};
  const uint32_t flags = KAIZEN_EXEC_EMIT | KAIZEN_EXEC_NO_EMIT | KAIZEN_EXEC_MAP_AGENT |
                         KAIZEN_EXEC_KEEP_UNKNOWN | KAIZEN_EXEC_CHECK_ONLY;
  struct execution_draft draft = {0};
  struct reading reading = {
      .execution = execution, .draft = &draft, .keep = exec_flags & KAIZEN_EXEC_KEEP_UNKNOWN};
  struct json_value value, values[FIELD_COUNT] = {{0}};
  size_t longest = limits->max_record_bytes * EXECUTION_DRAFT_TEXT_FACTOR;

  if (execution_draft_read_flags(execution, &draft, exec_flags, flags, limits, error) != 0 ||
      execution_draft_check_text("the record", text, longest, error) != 0 ||
      check_record(&reading, text, &value, error) != 0 ||
      collect(&reading, &known, value.raw, values, error) != 0 ||
      prepare_scratch(&execution->scratch, text.len, error) != 0 ||
      take_string("agent", values[FIELD_AGENT], &execution->scratch, &draft.agent, error) != 0 ||
      take_success(values[FIELD_SUCCESS], &draft.success, error) != 0 ||
      take_fields(&reading, values, 0, error) != 0)
    return -1;
  return execution_draft_finish(execution, &draft, limits, error);
}
