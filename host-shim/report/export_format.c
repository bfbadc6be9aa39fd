/* export_format.c - a record of the log in the format of other programs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/export_format.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/output.h"
#include "common/json_reader.h"
#include "common/timestamp.h"
#include "host/command.h"
#include "host/report_text.h"
#include "report/record_members.h"

enum export_format export_format_named(const char *word) {
  static const char *const words[EXPORT_FORMATS] = {"jsonl", "csv", "cloudevents", "otlp-json"};
  int i = 0;

  while (i < EXPORT_FORMATS - 1 && strcmp(words[i], word) != 0)
    i++;
  return (enum export_format)i;
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static const struct {
  const char *heading, *object, *member; /* object NULL: of the record itself */
} csv_columns[] = {
    {"timestamp", NULL, "timestamp"},
    {"agent", NULL, "agent"},
    {"success", NULL, "success"},
    {"execution_time_s", NULL, "execution_time_s"},
    {"quality_score", NULL, "quality_score"},
    {"tokens", NULL, "tokens"},
    {"session_id", NULL, "session_id"},
    {"primary_name", "primary_metric", "name"},
    {"primary_value", "primary_metric", "value"},
    {"primary_target", "primary_metric", "target"},
    {"model", "metadata", "model"},
    {"cost_usd", "metadata", "cost_usd"},
    {"input_tokens", "metadata", "input_tokens"},
    {"output_tokens", "metadata", "output_tokens"},
    {"turns", "metadata", "turns"},
    {"outcome", "metadata", "outcome"},
    {"error_type", "metadata", "error_type"},
    {"repo", NULL, "repo"},
    {"flavor", NULL, "flavor"},
    {"idempotency_key", NULL, "idempotency_key"},
    {"event_id", NULL, "event_id"},
};
enum { CSV_COLUMNS = sizeof csv_columns / sizeof *csv_columns };

static void write_field(FILE *out, struct span text, bool is_text) {
  /* A spreadsheet runs a text that begins so as a formula; an apostrophe makes it
   * a text. */
  bool is_formula = is_text && text.len > 0 && memchr("=+-@\t\r", text.ptr[0], 6);
  bool quoted = false;

  for (size_t i = 0; i < text.len && !quoted; i++)
    quoted = memchr(",\"\r\n", text.ptr[i], 4) != NULL;
  fputs(quoted ? "\"" : "", out);
  fputs(is_formula ? "'" : "", out);
  for (size_t i = 0; i < text.len; i++)
    if (text.ptr[i] == '\0') /* no reader takes one */
      fputs("\uFFFD", out);
    else
      fprintf(out, text.ptr[i] == '"' ? "\"%c" : "%c", text.ptr[i]);
  fputs(quoted ? "\"" : "", out);
}

/* The columns that are members of that object; their values are spans of its text. */
static void find_columns(const char *object, struct span text,
                         struct json_value values[CSV_COLUMNS]) {
  struct record_member wanted[CSV_COLUMNS];

  for (size_t i = 0; i < CSV_COLUMNS; i++) {
    bool is_here = object ? csv_columns[i].object && strcmp(csv_columns[i].object, object) == 0
                          : !csv_columns[i].object;

    wanted[i] = (struct record_member){is_here ? csv_columns[i].member : NULL, &values[i]};
  }
  record_members_find(text, wanted, CSV_COLUMNS);
}

/* Number texts are the log's own: a tree of doubles and 64-bit integers would change some. */
static int write_csv(FILE *out, struct span line) {
  struct json_value values[CSV_COLUMNS] = {{0}}, metadata = {0}, primary = {0};
  const struct record_member objects[] = {{"metadata", &metadata}, {"primary_metric", &primary}};
  struct buffer text = {.data = NULL};
  bool failed = false;

  record_members_find(line, objects, 2);
  find_columns(NULL, line, values);
  if (metadata.raw.ptr)
    find_columns("metadata", metadata.raw, values);
  if (primary.raw.ptr)
    find_columns("primary_metric", primary.raw, values);
  for (size_t i = 0; i < CSV_COLUMNS; i++) {
    bool is_text = values[i].raw.ptr && values[i].type == JSON_STRING;

    fputs(i > 0 ? "," : "", out);
    buffer_clear(&text);
    if (is_text)
      json_value_decode(values[i], &text);
    failed = failed || text.failed;
    if (values[i].raw.ptr && values[i].type != JSON_NULL)
      write_field(out, is_text ? buffer_span(&text) : values[i].raw, is_text);
  }
  buffer_fini(&text);
  fputs("\r\n", out);
  return failed ? -1 : 0;
}

/* ---- ids ------------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *text, size_t len, uint64_t hash) {
  for (size_t i = 0; i < len; i++)
    hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211); /* FNV-1a */
  return hash;
}

struct ids { /* for a record without ids of its own: the same in every export */
  uint64_t high, low, span;
};

/* The log's time; -1 when it cannot be read. */
static int64_t time_of(struct json_object *record) {
  const char *text = report_text_string(record, "timestamp", "");
  int64_t time_s = -1;

  return timestamp_parse((struct span){text, strlen(text)}, &time_s) == 0 ? time_s : -1;
}

/* Equal lines are of one second, perhaps with others between them: each gets other ids. */
static struct ids ids_of(struct export_writer *writer, struct json_object *record, const char *line,
                         size_t len) {
  uint64_t hash = hash_of(line, len, UINT64_C(14695981039346656037)), repeated = 0;
  int64_t second_s = time_of(record);

  if (second_s != writer->second_s)
    writer->hash_count = 0;
  for (size_t i = 0; i < writer->hash_count && i < EXPORT_EQUAL_MAX; i++)
    repeated += writer->hashes[i] == hash;
  writer->second_s = second_s;
  writer->hashes[writer->hash_count++ % EXPORT_EQUAL_MAX] = hash;
  struct ids ids = {.high = hash_of(line, len, hash ^ repeated)};
  ids.low = hash_of(line, len, ids.high);
  ids.span = hash_of(line, len, ids.low) | 1; /* never 0, which is not an id */
  return ids;
}

/* ---- CloudEvents ----------------------------------------------------------------------------- */

enum { KEY_MAX_BYTES = 512 }; /* of a key that we write; a longer one makes no id */

static void put_text(struct json_object *object, const char *name, const char *text) {
  json_object_object_add(object, name, json_text_new_string(text));
}

/* A URI reference: what is not allowed there becomes %XX. */
static void make_source(const char *project, char out[256]) {
  size_t len = (size_t)snprintf(out, 256, "/kaizen/");

  for (; *project != '\0' && len + 4 < 256; project++) {
    unsigned char byte = (unsigned char)*project;
    bool plain = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';

    plain = plain || (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("-._~", byte));
    len += (size_t)snprintf(out + len, 256 - len, plain ? "%c" : "%%%02X", byte);
  }
}

/* As of a marked line: a UUID, and an object beside it. */
static const char *event_id_of(struct json_object *record) {
  static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const char *id = report_text_string(record, "event_id", "");
  size_t fitting = 0;

  while (id[fitting] != '\0' && form[fitting] != '\0' &&
         (form[fitting] == 'x' ? isxdigit((unsigned char)id[fitting]) != 0 : id[fitting] == '-'))
    fitting++;
  bool is_uuid = id[fitting] == '\0' && form[fitting] == '\0';
  return is_uuid && json_object_is_type(report_text_member(record, "event"), json_type_object)
             ? id
             : NULL;
}

static const char *key_of(struct json_object *record) {
  const char *key = report_text_string(record, "idempotency_key", "");

  if (*key == '\0')
    key = report_text_string(report_text_member(record, "metadata"), "idempotency_key", "");
  return *key != '\0' && strlen(key) <= KEY_MAX_BYTES ? key : NULL;
}

/* The record itself is the log's own text: a tree of doubles and 64-bit integers would change
 * numbers. */
static void write_cloudevent(const struct export_writer *writer, struct json_object *record,
                             struct span line, struct ids ids) {
  struct json_object *event = json_object_new_object();
  char id[KEY_MAX_BYTES + 100], source[256], time[TIMESTAMP_TEXT_SIZE];
  const char *event_id = event_id_of(record), *key = key_of(record);
  int64_t time_s = time_of(record);

  if (event_id)
    snprintf(id, sizeof id, "%s", event_id);
  else if (key) /* unique for its agent */
    snprintf(id, sizeof id, "%s/%s", writer->agent, key);
  else
    snprintf(id, sizeof id, "%016" PRIx64 "%016" PRIx64, ids.high, ids.low);
  make_source(writer->project, source);
  put_text(event, "specversion", "1.0");
  put_text(event, "id", id);
  put_text(event, "source", source);
  put_text(event, "type", "kaizen.execution");
  put_text(event, "subject", writer->agent);
  if (time_s >= 0) {
    timestamp_format(time_s, time);
    put_text(event, "time", time);
  }
  put_text(event, "datacontenttype", "application/json");
  const char *text = json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN |
                                                               JSON_C_TO_STRING_NOSLASHESCAPE);
  fprintf(writer->out, "%.*s,\"data\":", (int)strlen(text) - 1, text);
  fwrite(line.ptr, 1, line.len, writer->out);
  fputs("}\n", writer->out);
  json_object_put(event);
}

/* ---- OpenTelemetry --------------------------------------------------------------------------- */

static void add_attribute(struct json_object *list, const char *key, const char *kind,
                          struct json_object *value) {
  struct json_object *attribute = json_object_new_object(), *any = json_object_new_object();

  json_object_object_add(any, kind, value);
  put_text(attribute, "key", key);
  json_object_object_add(attribute, "value", any);
  json_object_array_add(list, attribute);
}

static void add_text(struct json_object *list, const char *key, const char *text) {
  if (text)
    add_attribute(list, key, "stringValue", json_text_new_string(text));
}

static void add_double(struct json_object *list, const char *key, struct json_object *object,
                       const char *member) {
  double number = report_text_number(object, member, NAN);

  if (!isnan(number))
    add_attribute(list, key, "doubleValue", json_text_new_double(number));
}

/* OTLP/JSON writes 64-bit integers as texts. */
static struct json_object *integer_text(uint64_t number) {
  char text[24];

  snprintf(text, sizeof text, "%" PRIu64, number);
  return json_object_new_string(text);
}

/* As an integer where it is one that 64 bits hold, else as the nearest double: from the log's own
 * text, since a tree would hold another number. */
static void add_count(struct json_object *list, const char *key, struct span object,
                      const char *member) {
  struct json_value value = {0};
  int64_t integer = 0;

  if (object.ptr)
    record_members_find(object, &(struct record_member){member, &value}, 1);
  double number = record_members_number(&value);
  if (number >= 0 && json_value_integer(value, &integer))
    add_attribute(list, key, "intValue", integer_text((uint64_t)integer));
  else if (number >= 0 && number < 1e15 && floor(number) >= number)
    add_attribute(list, key, "intValue", integer_text((uint64_t)number));
  else if (number >= 0)
    add_attribute(list, key, "doubleValue", json_text_new_double(number));
}

static bool is_hex_id(const char *text, size_t len) {
  return strspn(text, "0123456789abcdef") >= len && strspn(text, "0") < len;
}

/* The caller's own trace and parent, when the metadata has a traceparent. */
static void add_ids(struct json_object *span, struct json_object *metadata, struct ids ids) {
  const char *parent = report_text_string(metadata, "traceparent", "");
  char trace[33], own[17];

  snprintf(trace, sizeof trace, "%016" PRIx64 "%016" PRIx64, ids.high, ids.low);
  snprintf(own, sizeof own, "%016" PRIx64, ids.span);
  if (strlen(parent) == 55 && parent[2] == '-' && parent[35] == '-' && parent[52] == '-' &&
      is_hex_id(parent + 3, 32) && is_hex_id(parent + 36, 16)) {
    char parent_span[17];

    snprintf(trace, sizeof trace, "%.32s", parent + 3);
    snprintf(parent_span, sizeof parent_span, "%.16s", parent + 36);
    put_text(span, "parentSpanId", parent_span);
  }
  put_text(span, "traceId", trace);
  put_text(span, "spanId", own);
}

static void add_times(struct json_object *span, struct json_object *record) {
  double duration_s = report_text_number(record, "execution_time_s", 0);
  int64_t end_s = time_of(record);

  if (end_s < 0 || end_s > 9000000000)
    end_s = 0;
  uint64_t end_ns = (uint64_t)end_s * 1000000000;
  bool fits = duration_s > 0 && duration_s < (double)end_s;
  uint64_t start_ns = end_ns - (fits ? (uint64_t)(duration_s * 1e9) : 0);
  json_object_object_add(span, "startTimeUnixNano", integer_text(start_ns));
  json_object_object_add(span, "endTimeUnixNano", integer_text(end_ns));
}

static struct json_object *make_attributes(const char *agent, struct span line,
                                           struct json_object *record, struct json_object *metadata,
                                           bool success) {
  struct json_value counts = {0};
  struct json_object *list = json_object_new_array();
  const char *error = report_text_string(metadata, "error_type", "");

  add_text(list, "gen_ai.operation.name", "invoke_agent");
  add_text(list, "gen_ai.agent.name", agent);
  add_text(list, "gen_ai.conversation.id", report_text_string(record, "session_id", NULL));
  add_text(list, "gen_ai.request.model", report_text_string(metadata, "model", NULL));
  record_members_find(line, &(struct record_member){"metadata", &counts}, 1);
  add_count(list, "gen_ai.usage.input_tokens", counts.raw, "input_tokens");
  add_count(list, "gen_ai.usage.output_tokens", counts.raw, "output_tokens");
  if (!success)
    add_text(list, "error.type", *error != '\0' ? error : "_OTHER");
  add_count(list, "kaizen.tokens", line, "tokens");
  add_double(list, "kaizen.cost_usd", metadata, "cost_usd");
  add_double(list, "kaizen.quality_score", record, "quality_score");
  add_text(list, "kaizen.outcome", report_text_string(metadata, "outcome", NULL));
  add_text(list, "kaizen.idempotency_key", report_text_string(record, "idempotency_key", NULL));
  return list;
}

static struct json_object *in_array(struct json_object *object) {
  struct json_object *list = json_object_new_array();

  json_object_array_add(list, object);
  return list;
}

static void write_span(const struct export_writer *writer, struct json_object *record,
                       struct span line, struct ids ids) {
  static const int KIND_INTERNAL = 1, STATUS_OK = 1, STATUS_ERROR = 2;
  struct json_object *metadata = report_text_member(record, "metadata");
  struct json_object *span = json_object_new_object(), *status = json_object_new_object(),
                     *scope = json_object_new_object(), *scopes = json_object_new_object(),
                     *resource = json_object_new_object(), *resources = json_object_new_object(),
                     *traces = json_object_new_object(), *about = json_object_new_array();
  bool success = json_object_get_boolean(report_text_member(record, "success"));
  char name[96];

  if (!json_object_is_type(metadata, json_type_object))
    metadata = NULL;
  snprintf(name, sizeof name, "invoke_agent %s", writer->agent);
  add_ids(span, metadata, ids);
  put_text(span, "name", name);
  json_object_object_add(span, "kind", json_object_new_int(KIND_INTERNAL));
  add_times(span, record);
  json_object_object_add(span, "attributes",
                         make_attributes(writer->agent, line, record, metadata, success));
  json_object_object_add(status, "code", json_object_new_int(success ? STATUS_OK : STATUS_ERROR));
  json_object_object_add(span, "status", status);
  put_text(scope, "name", "kaizen-host");
  put_text(scope, "version", KAIZEN_HOST_VERSION);
  json_object_object_add(scopes, "scope", scope);
  json_object_object_add(scopes, "spans", in_array(span));
  add_text(about, "service.name", writer->project);
  json_object_object_add(resource, "attributes", about);
  json_object_object_add(resources, "resource", resource);
  json_object_object_add(resources, "scopeSpans", in_array(scopes));
  json_object_object_add(traces, "resourceSpans", in_array(resources));
  output_json_to(writer->out, traces);
}

/* ---- a record -------------------------------------------------------------------------------- */

void export_format_begin(struct export_writer *writer) {
  if (writer->format != EXPORT_CSV)
    return;
  for (size_t i = 0; i < CSV_COLUMNS; i++)
    fprintf(writer->out, "%s%s", i > 0 ? "," : "", csv_columns[i].heading);
  fputs("\r\n", writer->out);
}

int export_format_record(struct export_writer *writer, const char *line, size_t len) {
  const char *description = NULL;
  struct json_value value;
  size_t at = 0;

  if (writer->format == EXPORT_JSONL) {
    fwrite(line, 1, len, writer->out);
    return 0;
  }
  if (json_reader_check((struct span){line, len}, JSON_STRICT, JSON_DEPTH_LIMIT, &value, NULL) != 0)
    return -1;
  if (writer->format == EXPORT_CSV)
    return write_csv(writer->out, value.raw);
  struct json_object *record = json_text_parse(line, len, &at, &description);
  if (!json_object_is_type(record, json_type_object)) {
    json_object_put(record);
    return -1;
  }
  struct ids ids = ids_of(writer, record, line, len);
  if (writer->format == EXPORT_CLOUDEVENTS)
    write_cloudevent(writer, record, value.raw, ids);
  else
    write_span(writer, record, value.raw, ids);
  json_object_put(record);
  return 0;
}
