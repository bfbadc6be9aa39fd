/* event.c - the envelope of kaizen.metrics.recorded, a function of one marked line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/event.h"

#include <math.h>

#include <kaizen/plugin.h>

#include "common/json_writer.h"
#include "common/timestamp.h"

/* The line's event object, as far as the envelope needs it. */
struct numbers {
  struct json_value project, success_rate, execution_count, avg_quality;
};

static void find_members(struct json_value event, struct numbers *found) {
  const struct {
    const char *name;
    struct json_value *value;
  } wanted[] = {{"project", &found->project},
                {"success_rate", &found->success_rate},
                {"execution_count", &found->execution_count},
                {"avg_quality", &found->avg_quality}};
  struct json_reader cursor;
  struct json_member member;
  *found = (struct numbers){0};
  if (json_reader_open(&cursor, event.raw, JSON_LENIENT, JSON_DEPTH_LIMIT, NULL) != 0)
    return;
  while (json_reader_next(&cursor, &member, NULL) > 0)
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
      if (json_value_is_named(&member, wanted[i].name))
        *wanted[i].value = member.value;
}

static bool is_finite_number(struct json_value value) {
  return value.raw.ptr && value.type == JSON_NUMBER && isfinite(json_value_number(value));
}

static int check(const struct record *record, const struct numbers *found, struct error *error) {
  int64_t count;
  const char *wrong = NULL;
  if (!record->marked)
    wrong = "the record is not marked for emission";
  else if (record->timestamp_s < 0)
    wrong = "the record's timestamp cannot be read";
  else if (!found->project.raw.ptr || found->project.type != JSON_STRING)
    wrong = "event.project is not a string";
  else if (!is_finite_number(found->success_rate))
    wrong = "event.success_rate is not a number";
  else if (!found->execution_count.raw.ptr || !json_value_integer(found->execution_count, &count) ||
           count < 0)
    wrong = "event.execution_count is not a whole number";
  else if (!is_finite_number(found->avg_quality))
    wrong = "event.avg_quality is not a number";
  return wrong ? error_set(error, KAIZEN_E_REJECTED, "%s", wrong) : 0;
}

static void append_decoded(struct buffer *out, struct buffer *scratch, struct json_value string) {
  buffer_clear(scratch);
  json_value_decode(string, scratch);
  out->failed = out->failed || scratch->failed;
  json_writer_string(out, buffer_span(scratch));
}

static void append_number(struct buffer *out, struct json_value number) {
  buffer_append(out, number.raw.ptr, number.raw.len);
}

static void append_envelope(const struct record *record, const struct numbers *found,
                            struct buffer *scratch, struct buffer *out) {
  char timestamp[TIMESTAMP_TEXT_SIZE];
  timestamp_format(record->timestamp_s, timestamp);
  buffer_append_text(out, "{\"id\":\"");
  buffer_append_text(out, record->event_id);
  buffer_append_text(out, "\",\"type\":\"" EVENT_TYPE "\",\"version\":\"" EVENT_VERSION
                          "\",\"timestamp\":\"");
  buffer_append_text(out, timestamp);
  buffer_append_text(out, "\",\"publisher\":\"" EVENT_PUBLISHER "\",\"attributes\":{\"agent\":");
  append_decoded(out, scratch, (struct json_value){JSON_STRING, record->agent});
  buffer_append_text(out, ",\"project\":");
  append_decoded(out, scratch, found->project);
  buffer_append_text(out, ",\"summary\":{\"success_rate\":");
  append_number(out, found->success_rate);
  buffer_append_text(out, ",\"execution_count\":");
  append_number(out, found->execution_count);
  buffer_append_text(out, ",\"avg_quality\":");
  append_number(out, found->avg_quality);
  buffer_append_text(out, "}}}");
}

int event_append_envelope(const struct record *record, struct buffer *out, struct error *error) {
  struct numbers found = {0};
  struct buffer scratch = {0};
  size_t before = out->len;
  if (record->marked)
    find_members(record->event, &found);
  if (check(record, &found, error) != 0)
    return -1;
  append_envelope(record, &found, &scratch, out);
  buffer_fini(&scratch);
  if (out->failed) {
    out->len = before;
    return error_set(error, KAIZEN_E_NOMEM, "out of memory for an event");
  }
  return 0;
}
