/* execution_draft.c - the checks every execution passes, and the line it becomes.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Keys stand in the order that docs/format.md lists.  What is not given is left out. */
#include "record/execution_draft.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/json_writer.h"
#include "common/timestamp.h"
#include "common/utf8.h"
#include "record/agent_name.h"

/* ---- what both forms of input begin with ----------------------------------------------------- */

int execution_draft_read_flags(struct execution *execution, struct execution_draft *draft,
                               uint32_t flags, uint32_t known,
                               const struct execution_limits *limits, struct error *error) {
  const uint32_t must_know = 0xFFFF; /* bits 0-15 change the meaning, the others only add data */
  const uint32_t both = KAIZEN_EXEC_EMIT | KAIZEN_EXEC_NO_EMIT;
  uint32_t unknown = flags & must_know & ~known;
  if (unknown)
    return error_set(error, KAIZEN_E_UNSUPPORTED, "unknown flag bits 0x%x; leave them out",
                     unknown);
  if ((flags & both) == both)
    return error_set(error, KAIZEN_E_REJECTED,
                     "EMIT and NO_EMIT are both set; set one of them or neither");
  draft->flags = flags;
  buffer_clear(&execution->others);
  execution->marked =
      flags & KAIZEN_EXEC_EMIT || (!(flags & KAIZEN_EXEC_NO_EMIT) && limits->emit_default);
  return 0;
}

int execution_draft_check_text(const char *field, struct span text, size_t max,
                               struct error *error) {
  if (text.len > max)
    return error_set(error, KAIZEN_E_REJECTED,
                     "%s has %zu bytes; this max_record_bytes allows at most %zu: shorten it",
                     field, text.len, max);
  if (text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0)
    return error_set(error, KAIZEN_E_REJECTED, "%s begins with a byte order mark; remove it",
                     field);
  return 0;
}

int execution_draft_check_json(const char *field, struct span text, unsigned depth,
                               struct json_value *value, struct error *error) {
  struct json_fault fault;

  if (json_reader_check(text, JSON_STRICT, JSON_DEPTH_MAX - depth, value, &fault) != 0)
    return error_set(error, KAIZEN_E_REJECTED, "%s is not valid JSON: byte %zu: %s", field,
                     fault.offset, fault.why);
  if (value->type != JSON_OBJECT)
    return error_set(error, KAIZEN_E_REJECTED, "%s is not a JSON object; give {...}", field);
  return 0;
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* A number for a message, independent of the host's locale. */
static void show_number(double value, char out[32]) {
  struct buffer text = {0};
  if (!isfinite(value)) {
    snprintf(out, 32, "%s", isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
    return;
  }
  json_writer_double(&text, value);
  snprintf(out, 32, "%.*s", (int)text.len, text.data ? text.data : "?");
  buffer_fini(&text);
}

static int check_number(const char *field, double value, double min, double max, const char *needed,
                        struct error *error) {
  char shown[32];
  if (isfinite(value) && value >= min && value <= max)
    return 0;
  show_number(value, shown);
  return error_set(error, KAIZEN_E_REJECTED, "%s is %s; %s is needed", field, shown, needed);
}

/* A value that is kept as a log has it may be any finite number. */
static int check_ranges(const struct execution_draft *draft, struct error *error) {
  bool any = draft->flags & KAIZEN_EXEC_KEEP_UNKNOWN;

  if (draft->has_time &&
      check_number("execution_time_s", draft->execution_time_s, any ? -INFINITY : 0, INFINITY,
                   "a number of seconds, 0 or more,", error) != 0)
    return -1;
  return draft->has_quality
             ? check_number("quality_score", draft->quality_score, any ? -INFINITY : 0,
                            any ? INFINITY : 1, "a number from 0 to 1", error)
             : 0;
}

static int check_numbers(const struct execution_draft *draft, struct error *error) {
  const char *finite = "a finite number";

  if (check_ranges(draft, error) != 0 ||
      (draft->has_primary && check_number("primary_metric.value", draft->primary_value, -INFINITY,
                                          INFINITY, finite, error) != 0) ||
      (draft->has_target && check_number("primary_metric.target", draft->primary_target, -INFINITY,
                                         INFINITY, finite, error) != 0) ||
      (draft->has_share && check_number("infra_overhead_share", draft->infra_overhead_share,
                                        -INFINITY, INFINITY, finite, error) != 0))
    return -1;
  return 0;
}

static int check_text(const char *field, struct span text, struct error *error) {
  char shown[UTF8_SHOWN_SIZE];
  if (!text.ptr)
    return 0;
  if (!utf8_valid(text))
    return error_set(error, KAIZEN_E_REJECTED, "%s \"%s\" is not UTF-8; convert it", field,
                     utf8_show(text, shown));
  return 0;
}

static int check_texts(const struct execution_draft *draft, struct error *error) {
  if (draft->has_primary && draft->primary_name.len == 0)
    return error_set(error, KAIZEN_E_REJECTED, "primary_metric has no name; give one");
  return check_text("session_id", draft->session_id, error) != 0 ||
                 check_text("primary_metric.name", draft->primary_name, error) != 0
             ? -1
             : 0;
}

/* `now` may lie before the retention's own clock: then the clock is wrong, not the record. */
static int choose_timestamp(struct execution *execution, const struct execution_draft *draft,
                            const struct execution_limits *limits, struct error *error) {
  char given[TIMESTAMP_TEXT_SIZE], oldest[TIMESTAMP_TEXT_SIZE];
  int64_t now_s = limits->now_s < 0                 ? 0
                  : limits->now_s > TIMESTAMP_MAX_S ? TIMESTAMP_MAX_S
                                                    : limits->now_s;
  execution->timestamp_s = draft->timestamp_kept  ? -1
                           : draft->has_timestamp ? draft->timestamp_s
                                                  : now_s;
  if (!draft->has_timestamp || draft->timestamp_s >= limits->oldest_s)
    return 0;
  timestamp_format(draft->timestamp_s, given);
  timestamp_format(limits->oldest_s, oldest);
  return error_set(error, KAIZEN_E_REJECTED,
                   "timestamp %s is older than retention_days keeps; the oldest accepted is %s",
                   given, oldest);
}

/* ---- the key ------------------------------------------------------------------------------- */

/* Its `raw` is absent when there is none. */
static struct json_value member_of(struct json_value object, const char *name) {
  struct json_reader reader;
  struct json_member member;

  if (object.raw.ptr &&
      json_reader_open(&reader, object.raw, JSON_LENIENT, JSON_DEPTH_MAX, NULL) == 0)
    while (json_reader_next(&reader, &member, NULL) > 0)
      if (json_value_is_named(&member, name))
        return member.value;
  return (struct json_value){0};
}

static int check_key(const char *field, struct span key, struct error *error) {
  if (key.len == 0)
    return error_set(error, KAIZEN_E_REJECTED, "%s is empty; leave it out or give a key", field);
  if (key.len > EXECUTION_KEY_MAX)
    return error_set(error, KAIZEN_E_REJECTED, "%s has %zu bytes; at most %d are allowed", field,
                     key.len, EXECUTION_KEY_MAX);
  return check_text(field, key, error);
}

/* The one of the record wins over the one in metadata. */
static int choose_key(struct execution *execution, const struct execution_draft *draft,
                      struct error *error) {
  const char *field = "idempotency_key";
  buffer_clear(&execution->key);
  if (draft->key.ptr) {
    buffer_append(&execution->key, draft->key.ptr, draft->key.len);
  } else {
    struct json_value key = member_of(draft->metadata, "idempotency_key");
    if (!key.raw.ptr || key.type == JSON_NULL)
      return 0;
    field = "metadata.idempotency_key";
    if ((key.type != JSON_STRING || key.raw.len <= 2) && draft->flags & KAIZEN_EXEC_KEEP_UNKNOWN)
      return 0;
    if (key.type != JSON_STRING)
      return error_set(error, KAIZEN_E_REJECTED, "%s is not a string; write the key in quotes",
                       field);
    json_value_decode(key, &execution->key);
  }
  if (execution->key.failed)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  return check_key(field, buffer_span(&execution->key), error);
}

/* ---- the line ------------------------------------------------------------------------------ */

static void name_member(struct buffer *out, const char *name) {
  buffer_append_byte(out, ',');
  buffer_append_byte(out, '"');
  buffer_append_text(out, name);
  buffer_append(out, "\":", 2);
}

static void write_string(struct buffer *out, const char *name, struct span text) {
  if (text.ptr) {
    name_member(out, name);
    json_writer_string(out, text);
  }
}

static void write_number(struct buffer *out, const char *name, bool has, double value) {
  if (has) {
    name_member(out, name);
    json_writer_double(out, value);
  }
}

static void write_primary(struct buffer *out, const struct execution_draft *draft) {
  if (!draft->has_primary)
    return;
  buffer_append_text(out, ",\"primary_metric\":{\"name\":");
  json_writer_string(out, draft->primary_name);
  write_number(out, "value", true, draft->primary_value);
  write_number(out, "target", draft->has_target, draft->primary_target);
  buffer_append_byte(out, '}');
}

/* `raw_agent`: a name that was mapped, which is kept here; ptr NULL: it was not. */
static void write_metadata(struct buffer *out, struct json_value metadata, struct span raw_agent) {
  if (!metadata.raw.ptr && !raw_agent.ptr)
    return;
  name_member(out, "metadata");
  if (metadata.raw.ptr)
    json_value_compact(metadata, out);
  else
    buffer_append_text(out, "{}");
  if (!raw_agent.ptr || out->failed || member_of(metadata, "agent_name").raw.ptr)
    return;
  out->len--; /* the closing brace */
  buffer_append_text(out, out->data[out->len - 1] == '{' ? "\"agent_name\":" : ",\"agent_name\":");
  json_writer_string(out, raw_agent);
  buffer_append_byte(out, '}');
}

static void write_line(struct execution *execution, const struct execution_draft *draft,
                       struct span raw_agent) {
  struct buffer *out = &execution->line;
  char timestamp[TIMESTAMP_TEXT_SIZE];
  buffer_clear(out);
  if (draft->timestamp_kept) {
    buffer_append_text(out, "{\"agent\":");
  } else {
    timestamp_format(execution->timestamp_s, timestamp);
    buffer_append_text(out, "{\"timestamp\":\"");
    buffer_append_text(out, timestamp);
    buffer_append_text(out, "\",\"agent\":");
  }
  json_writer_string(out, (struct span){execution->agent, strlen(execution->agent)});
  write_string(out, "session_id", draft->session_id);
  write_number(out, "execution_time_s", draft->has_time, execution->execution_time_s);
  buffer_append_text(out, draft->success ? ",\"success\":true" : ",\"success\":false");
  write_number(out, "quality_score", draft->has_quality, execution->quality_score);
  write_primary(out, draft);
  write_metadata(out, draft->metadata, raw_agent);
  buffer_append(out, execution->others.data, execution->others.len);
  out->failed = out->failed || execution->others.failed;
  write_string(out, "helix_session_uid", draft->helix_session_uid);
  write_string(out, "repo", draft->repo);
  write_string(out, "flavor", draft->flavor);
  if (draft->has_tokens) {
    name_member(out, "tokens");
    json_writer_integer(out, draft->tokens);
  }
  write_number(out, "infra_overhead_share", draft->has_share, draft->infra_overhead_share);
  if (execution->key.len > 0)
    write_string(out, "idempotency_key", buffer_span(&execution->key));
}

static int check_size(const struct execution *execution, const struct execution_limits *limits,
                      struct error *error) {
  size_t len = execution->line.len + 1; /* its closing brace */
  if (execution->line.failed)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  if (len > limits->max_record_bytes)
    return error_set(error, KAIZEN_E_REJECTED,
                     "the record has %zu bytes; max_record_bytes allows %zu: shorten its metadata",
                     len, limits->max_record_bytes);
  return 0;
}

/* *raw_agent: the given name when it was mapped to another. */
static int choose_agent(struct execution *execution, const struct execution_draft *draft,
                        struct span *raw_agent, struct error *error) {
  int result;

  *raw_agent = (struct span){NULL, 0};
  if (draft->flags & KAIZEN_EXEC_MAP_AGENT) {
    result = agent_name_map(draft->agent, execution->agent, error);
    if (result == 1)
      *raw_agent = draft->agent;
    return result < 0 ? -1 : 0;
  }
  if (agent_name_check(draft->agent, error) != 0)
    return -1;
  memcpy(execution->agent, draft->agent.ptr, draft->agent.len);
  execution->agent[draft->agent.len] = '\0';
  return 0;
}

int execution_draft_finish(struct execution *execution, const struct execution_draft *draft,
                           const struct execution_limits *limits, struct error *error) {
  struct span raw_agent;

  if (choose_agent(execution, draft, &raw_agent, error) != 0 || check_numbers(draft, error) != 0 ||
      check_texts(draft, error) != 0 || choose_timestamp(execution, draft, limits, error) != 0 ||
      choose_key(execution, draft, error) != 0)
    return -1;
  execution->success = draft->success;
  execution->has_time = draft->has_time;
  execution->has_quality = draft->has_quality;
  execution->execution_time_s =
      draft->has_time ? draft->execution_time_s + 0.0 : 0; /* -0.0 becomes 0.0 */
  execution->quality_score = draft->has_quality ? draft->quality_score + 0.0 : 0;
  write_line(execution, draft, raw_agent);
  return check_size(execution, limits, error);
}
