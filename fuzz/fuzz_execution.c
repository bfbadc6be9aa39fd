/* fuzz_execution.c - any bytes as an execution: a reason, or a line that every reader takes.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * First byte: which way in (JSON record, or which string of the struct); then a line that was
 * written must be a strict JSON object, one line for Python, and read back as the record it was
 * made from. */
#include <kaizen/plugin.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "record/event.h"
#include "record/execution_from_json.h"
#include "record/execution_from_struct.h"
#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EVENT_ID "8d5a0f3e-6f5b-4c1e-9d0a-3c6f7b2e4a91"

static void require(int holds) {
  if (!holds)
    abort();
}

static int run(struct execution *execution, unsigned way, struct span rest, struct error *error) {
  const struct execution_limits limits = {1772600767, 0, 65536, way & 1};
  struct kaizen_execution in = {
      .struct_size = sizeof in, .outcome = KAIZEN_SUCCESS, .agent = {"fuzz", KAIZEN_NTS}};
  struct kaizen_str text = {rest.ptr, rest.len};
  switch (way % 8) {
  case 0:
    in.agent = text;
    break;
  case 1:
    in.metadata_json = text;
    break;
  case 2:
    in.extra_json = text;
    break;
  case 3:
    in.idempotency_key = text;
    break;
  case 4:
    in.session_id = text;
    break;
  case 5:
    if (rest.len < sizeof in.primary_value)
      break;
    in.flags = KAIZEN_EXEC_HAS_PRIMARY | KAIZEN_EXEC_HAS_QUALITY | KAIZEN_EXEC_HAS_TIME;
    memcpy(&in.primary_value, rest.ptr, sizeof in.primary_value);
    memcpy(&in.quality_score, rest.ptr, sizeof in.quality_score);
    memcpy(&in.execution_time_s, rest.ptr, sizeof in.execution_time_s);
    memcpy(&in.timestamp_unix_ns, rest.ptr, sizeof in.timestamp_unix_ns);
    in.primary_name = (struct kaizen_str){rest.ptr + 8, rest.len - 8};
    break;
  default:
    return execution_from_json(execution, rest, way & 16 ? KAIZEN_EXEC_EMIT : 0, &limits, error);
  }
  return execution_from_struct(execution, &in, &limits, error);
}

static int is_one_plain_line(struct span line) {
  const char *end = line.ptr + line.len;
  for (const char *at = line.ptr; at < end; at++) {
    unsigned char byte = (unsigned char)*at;
    if (byte < 0x20 || byte == 0x7F || (byte == 0xC2 && end - at > 1 && at[1] == '\x85') ||
        (byte == 0xE2 && end - at > 2 && at[1] == '\x80' && (at[2] == '\xA8' || at[2] == '\xA9')))
      return 0;
  }
  return 1;
}

static void check_line(const struct execution *execution) {
  const struct event_numbers numbers = {2.0 / 3, 0.1, 3};
  struct buffer line = {0}, key = {0}, envelope = {0};
  struct json_value value;
  struct record record;
  struct error error;
  execution_append_line(execution, EVENT_ID, (struct span){"fuzz", 4}, &numbers, &line);
  require(!line.failed && line.len > 1 && line.data[line.len - 1] == '\n');
  struct span text = {line.data, line.len - 1};
  require(is_one_plain_line(text));
  require(json_reader_check(text, JSON_STRICT, JSON_DEPTH_MAX, &value, NULL) == 0 &&
          value.type == JSON_OBJECT);
  require(record_read(text, &record, NULL) == RECORD_OK);
  require(record.success == execution->success && record.timestamp_s == execution->timestamp_s);
  require(record.has_time == execution->has_time && record.has_quality == execution->has_quality);
  require(memcmp(&record.execution_time_s, &execution->execution_time_s, sizeof(double)) == 0);
  require(memcmp(&record.quality_score, &execution->quality_score, sizeof(double)) == 0);
  require(span_is(record.agent, execution->agent) && strcmp(record.event_id, EVENT_ID) == 0);
  require(record_key(&record, &key) == (execution->key.len > 0));
  require(span_equal(buffer_span(&key), buffer_span(&execution->key)));
  require(event_append_envelope(&record, &envelope, &error) == 0);
  require(json_reader_check(buffer_span(&envelope), JSON_STRICT, JSON_DEPTH_MAX, &value, NULL) ==
          0);
  buffer_fini(&line);
  buffer_fini(&key);
  buffer_fini(&envelope);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct execution execution = {0};
  struct error error = {0};
  if (size == 0)
    return 0;
  struct span rest = {(const char *)data + 1, size - 1};
  if (run(&execution, data[0], rest, &error) == 0)
    check_line(&execution);
  else
    require(error.code != 0 && error.text[0] != '\0' &&
            utf8_valid((struct span){error.text, strlen(error.text)}));
  execution_fini(&execution);
  return 0;
}
