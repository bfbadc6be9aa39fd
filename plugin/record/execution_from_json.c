/* execution_from_json.c - one execution from JSON text with the log's own keys.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * null for a field that may be absent means absent: that is how other languages write it. */
#include "record/execution_from_json.h"

#include <math.h>

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

/* Members by their place among `names`. */

static int refuse_name(const char *object, struct span name, const char *const *names, size_t count,
                       struct error *error) {
  char shown[UTF8_SHOWN_SIZE];
  return error_set(error, KAIZEN_E_REJECTED,
                   "%s has no key \"%s\"; did you mean \"%s\"? Own fields belong into metadata",
                   object, utf8_show(name, shown), distance_nearest(name, names, count));
}

/* `text` was checked; values[] is zeroed. */
static int collect(const char *object, struct span text, const char *const *names, size_t count,
                   struct json_value *values, struct error *error) {
  struct json_reader cursor;
  struct json_member member;
  size_t place = 0;
  int found = json_reader_open(&cursor, text, JSON_LENIENT, JSON_DEPTH_MAX, NULL);

  while (found == 0 && (found = json_reader_next(&cursor, &member, NULL)) > 0) {
    size_t tried = 0; /* mostly in the table's order: go on where the last search ended */
    for (; tried < count && !json_value_is_named(&member, names[place]); tried++)
      place = place + 1 < count ? place + 1 : 0;
    if (tried == count)
      return refuse_name(object, member.name, names, count, error);
    values[place] = member.value;
    found = 0;
  }
  return found;
}

static bool is_absent(struct json_value value) {
  return !value.raw.ptr || value.type == JSON_NULL;
}

/* Values by type.  A wrong one is named with what was given. */

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
  *has = true;
  if (!isfinite(*out))
    return error_set(error, KAIZEN_E_REJECTED, "%s is %s, too large for a double; %s is needed",
                     field, utf8_show(value.raw, shown), needed);
  return 0;
}

static int take_timestamp(struct json_value value, struct buffer *scratch,
                          struct execution_draft *draft, struct error *error) {
  char shown[UTF8_SHOWN_SIZE];
  struct span text = {0};
  if (take_string("timestamp", value, scratch, &text, error) != 0)
    return -1;
  draft->has_timestamp = text.ptr != NULL;
  if (text.ptr && timestamp_parse(text, &draft->timestamp_s) != 0)
    return error_set(error, KAIZEN_E_REJECTED,
                     "timestamp \"%s\" is no ISO 8601 time with Z or an offset, years 1970 to 9999",
                     utf8_show(text, shown));
  return 0;
}

static int take_success(struct json_value value, bool *out, struct error *error) {
  if (!value.raw.ptr || (value.type != JSON_TRUE && value.type != JSON_FALSE))
    return refuse_type("success", value, "true or false", error);
  *out = value.type == JSON_TRUE;
  return 0;
}

static int take_primary(struct json_value value, struct buffer *scratch,
                        struct execution_draft *draft, struct error *error) {
  static const char *const names[] = {"name", "value", "target"};
  struct json_value values[3] = {{0}};
  if (is_absent(value))
    return 0;
  if (value.type != JSON_OBJECT)
    return refuse_type("primary_metric", value, "an object {name, value, target}", error);
  if (collect("primary_metric", value.raw, names, 3, values, error) != 0)
    return -1;
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

static int take_extra(const struct json_value *values, struct buffer *scratch,
                      struct execution_draft *draft, struct error *error) {
  return take_string("helix_session_uid", values[FIELD_HELIX_SESSION_UID], scratch,
                     &draft->helix_session_uid, error) != 0 ||
                 take_string("repo", values[FIELD_REPO], scratch, &draft->repo, error) != 0 ||
                 take_string("flavor", values[FIELD_FLAVOR], scratch, &draft->flavor, error) != 0 ||
                 take_tokens(values[FIELD_TOKENS], draft, error) != 0 ||
                 take_number("infra_overhead_share", values[FIELD_SHARE], "a number",
                             &draft->infra_overhead_share, &draft->has_share, error) != 0
             ? -1
             : 0;
}

static int take_all(const struct json_value *values, struct buffer *scratch,
                    struct execution_draft *draft, struct error *error) {
  if (take_string("agent", values[FIELD_AGENT], scratch, &draft->agent, error) != 0 ||
      take_success(values[FIELD_SUCCESS], &draft->success, error) != 0 ||
      take_timestamp(values[FIELD_TIMESTAMP], scratch, draft, error) != 0 ||
      take_string("session_id", values[FIELD_SESSION_ID], scratch, &draft->session_id, error) !=
          0 ||
      take_string("idempotency_key", values[FIELD_KEY], scratch, &draft->key, error) != 0 ||
      take_number("execution_time_s", values[FIELD_TIME], "a number", &draft->execution_time_s,
                  &draft->has_time, error) != 0 ||
      take_number("quality_score", values[FIELD_QUALITY], "a number from 0 to 1",
                  &draft->quality_score, &draft->has_quality, error) != 0 ||
      take_primary(values[FIELD_PRIMARY], scratch, draft, error) != 0 ||
      take_metadata(values[FIELD_METADATA], draft, error) != 0)
    return -1;
  return take_extra(values, scratch, draft, error);
}

/* Empty, with room for every string of a text of `len` bytes. */
static int prepare_scratch(struct buffer *scratch, size_t len, struct error *error) {
  buffer_clear(scratch);
  return buffer_reserve(scratch, len + 1) ? 0 : error_set(error, KAIZEN_E_NOMEM, "out of memory");
}

int execution_from_json_extra(struct execution *execution, struct execution_draft *draft,
                              struct span text, struct error *error) {
  struct json_value value, values[FIELD_COUNT] = {{0}};
  const int first = FIELD_HELIX_SESSION_UID;
  if (execution_draft_check_json("extra_json", text, 0, &value, error) != 0 ||
      collect("extra_json", value.raw, field_names + first, FIELD_COUNT - first, values + first,
              error) != 0 ||
      prepare_scratch(&execution->scratch, text.len, error) != 0)
    return -1;
  return take_extra(values, &execution->scratch, draft, error);
}

int execution_from_json(struct execution *execution, struct span text, uint32_t exec_flags,
                        const struct execution_limits *limits, struct error *error) {
  struct execution_draft draft = {0};
  struct json_value value, values[FIELD_COUNT] = {{0}};
  size_t longest = limits->max_record_bytes * EXECUTION_DRAFT_TEXT_FACTOR;
  if (execution_draft_read_flags(execution, exec_flags, KAIZEN_EXEC_EMIT | KAIZEN_EXEC_NO_EMIT,
                                 limits, error) != 0 ||
      execution_draft_check_length("the record", text.len, longest, error) != 0 ||
      execution_draft_check_json("the record", text, 0, &value, error) != 0 ||
      collect("a record", value.raw, field_names, FIELD_COUNT, values, error) != 0 ||
      prepare_scratch(&execution->scratch, text.len, error) != 0 ||
      take_all(values, &execution->scratch, &draft, error) != 0)
    return -1;
  return execution_draft_finish(execution, &draft, limits, error);
}
