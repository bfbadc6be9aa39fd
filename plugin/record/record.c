/* record.c - one line of executions.jsonl read back, by any writer.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Runs over every line of every log at each cold start and catch-up: one pass, nothing decoded
 * that is not needed. */
#include "record/record.h"

#include <math.h>
#include <string.h>

#include "base/uuid.h"
#include "common/timestamp.h"

enum field {
  FIELD_TIMESTAMP,
  FIELD_AGENT,
  FIELD_TIME,
  FIELD_SUCCESS,
  FIELD_QUALITY,
  FIELD_METADATA,
  FIELD_KEY,
  FIELD_EVENT_ID,
  FIELD_EVENT,
  FIELD_AMENDS,
  FIELD_COUNT
};

static const struct {
  const char *name;
  size_t len;
} fields[FIELD_COUNT] = {
    {"timestamp", 9},      {"agent", 5},    {"execution_time_s", 16}, {"success", 7},
    {"quality_score", 13}, {"metadata", 8}, {"idempotency_key", 15},  {"event_id", 8},
    {"event", 5},          {"amends", 6}};

static enum field find_field(const struct json_member *member) {
  struct span name = member->name;
  bool escaped = name.len && memchr(name.ptr, '\\', name.len);
  for (int i = 0; i < FIELD_COUNT; i++)
    if (escaped ? json_value_is_named(member, fields[i].name)
                : name.len == fields[i].len && memcmp(name.ptr, fields[i].name, name.len) == 0)
      return (enum field)i;
  return FIELD_COUNT;
}

static struct span inner(const struct json_value *string) {
  return (struct span){string->raw.ptr + 1, string->raw.len - 2};
}

static bool is_given(const struct json_value *value, enum json_value_type type) {
  return value->raw.ptr && value->type == type;
}

/* The string's text: in place, or decoded into out[cap] when it has escapes; len 0 when it does
 * not fit. */
static struct span short_text(const struct json_value *string, char *out, size_t cap) {
  struct span text = inner(string);
  if (!memchr(text.ptr, '\\', text.len))
    return text;
  size_t len = json_value_decode_bounded(*string, out, cap);
  return (struct span){out, len <= cap ? len : 0};
}

static int64_t read_timestamp(const struct json_value *value) {
  char decoded[64];
  int64_t seconds;
  if (!is_given(value, JSON_STRING) ||
      timestamp_parse(short_text(value, decoded, sizeof decoded), &seconds) != 0)
    return -1;
  return seconds;
}

/* Only a finite JSON number is a value, of any range; anything else is absent. */
static bool read_number(const struct json_value *value, double *out) {
  *out = 0;
  if (!is_given(value, JSON_NUMBER))
    return false;
  double number = json_value_number(*value);
  if (!isfinite(number))
    return false;
  *out = number;
  return true;
}

static bool is_key(const struct json_value *value) {
  return is_given(value, JSON_STRING) && value->raw.len > 2;
}

static struct json_value key_in_metadata(const struct json_value *metadata) {
  struct json_value key = {0};
  struct json_reader cursor;
  struct json_member member;
  if (!is_given(metadata, JSON_OBJECT) ||
      json_reader_open(&cursor, metadata->raw, JSON_LENIENT, JSON_DEPTH_LIMIT, NULL) != 0)
    return key;
  while (json_reader_next(&cursor, &member, NULL) > 0)
    if (find_field(&member) == FIELD_KEY)
      key = member.value;
  return is_key(&key) ? key : (struct json_value){0};
}

static void read_mark(const struct json_value *values, struct record *record) {
  char decoded[UUID_TEXT_SIZE];
  if (!is_given(&values[FIELD_EVENT_ID], JSON_STRING) ||
      !is_given(&values[FIELD_EVENT], JSON_OBJECT))
    return;
  struct span id = short_text(&values[FIELD_EVENT_ID], decoded, sizeof decoded);
  if (!uuid_is_text(id))
    return;
  for (size_t i = 0; i < id.len; i++)
    record->event_id[i] =
        (char)(id.ptr[i] | 0x20); /* lower case; digits and hyphens have that bit */
  record->marked = true;
  record->event = values[FIELD_EVENT];
}

static bool is_blank(struct span line) {
  for (size_t i = 0; i < line.len; i++)
    if (line.ptr[i] != ' ' && line.ptr[i] != '\t' && line.ptr[i] != '\r' && line.ptr[i] != '\n')
      return false;
  return true;
}

/* The last of equal names wins: a later value simply replaces the earlier. */
static const char *read_members(struct span line, struct json_value *values) {
  struct json_reader cursor;
  struct json_member member;
  int result = json_reader_open(&cursor, line, JSON_LENIENT, JSON_DEPTH_LIMIT, NULL);
  if (result > 0)
    return "not a JSON object";
  while (result == 0 && (result = json_reader_next(&cursor, &member, NULL)) > 0) {
    enum field field = find_field(&member);
    if (field != FIELD_COUNT)
      values[field] = member.value;
    result = 0;
  }
  return result < 0 ? cursor.why : NULL;
}

static const char *read_line(struct span line, struct record *record) {
  struct json_value values[FIELD_COUNT] = {{0}};
  const char *why = read_members(line, values);
  if (why)
    return why;
  if (!values[FIELD_SUCCESS].raw.ptr && is_given(&values[FIELD_AMENDS], JSON_STRING)) {
    record->amends = values[FIELD_AMENDS];
    return NULL;
  }
  if (!is_given(&values[FIELD_AGENT], JSON_STRING))
    return "agent is not a string";
  if (!is_given(&values[FIELD_SUCCESS], JSON_TRUE) && !is_given(&values[FIELD_SUCCESS], JSON_FALSE))
    return "success is not true or false";
  record->agent = inner(&values[FIELD_AGENT]);
  record->success = values[FIELD_SUCCESS].type == JSON_TRUE;
  record->timestamp_s = read_timestamp(&values[FIELD_TIMESTAMP]);
  record->has_time = read_number(&values[FIELD_TIME], &record->execution_time_s);
  record->has_quality = read_number(&values[FIELD_QUALITY], &record->quality_score);
  record->key =
      is_key(&values[FIELD_KEY]) ? values[FIELD_KEY] : key_in_metadata(&values[FIELD_METADATA]);
  read_mark(values, record);
  return NULL;
}

enum record_kind record_read(struct span line, struct record *record, const char **why) {
  *record = (struct record){.timestamp_s = -1};
  if (is_blank(line))
    return RECORD_BLANK;
  const char *wrong = read_line(line, record);
  if (wrong && why)
    *why = wrong;
  if (wrong)
    return RECORD_GARBAGE;
  return record->amends.raw.ptr ? RECORD_AMENDMENT : RECORD_OK;
}

bool record_key(const struct record *record, struct buffer *out) {
  buffer_clear(out);
  if (!record->key.raw.ptr)
    return false;
  json_value_decode(record->key, out);
  return true;
}
