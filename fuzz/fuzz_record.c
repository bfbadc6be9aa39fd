/* fuzz_record.c - any bytes as a line of somebody's log: garbage, blank, or a sound record.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"
#include "common/timestamp.h"
#include "common/utf8.h"
#include "record/event.h"
#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds) {
  if (!holds)
    abort();
}

static void check_record(const struct record *record, struct span line) {
  struct buffer key = {0}, envelope = {0};
  struct json_value value;
  struct error error = {0};
  require(record->agent.ptr >= line.ptr &&
          record->agent.ptr + record->agent.len <= line.ptr + line.len);
  require(record->timestamp_s >= -1 && record->timestamp_s <= TIMESTAMP_MAX_S);
  require(isfinite(record->quality_score) && isfinite(record->execution_time_s));
  if (record_key(record, &key))
    require(key.len > 0 && utf8_valid(buffer_span(&key)));
  if (record->marked)
    require(uuid_is_text((struct span){record->event_id, strlen(record->event_id)}));
  if (event_append_envelope(record, &envelope, &error) == 0)
    require(json_reader_check(buffer_span(&envelope), JSON_STRICT, JSON_DEPTH_MAX, &value, NULL) ==
            0);
  else
    require(error.text[0] != '\0' && envelope.len == 0);
  buffer_fini(&key);
  buffer_fini(&envelope);
}

/* What the strict dialect takes, the lenient one takes too; compacting it changes nothing it
 * means. */
static void check_dialects(struct span line) {
  struct json_value strict, again;
  struct buffer compact = {0}, twice = {0};
  if (json_reader_check(line, JSON_STRICT, JSON_DEPTH_MAX, &strict, NULL) != 0)
    return;
  require(json_reader_check(line, JSON_LENIENT, JSON_DEPTH_MAX, &again, NULL) == 0 &&
          again.raw.len == strict.raw.len);
  json_value_compact(strict, &compact);
  require(json_reader_check(buffer_span(&compact), JSON_STRICT, JSON_DEPTH_MAX, &again, NULL) == 0);
  require(again.type == strict.type);
  json_value_compact(again, &twice);
  require(span_equal(buffer_span(&compact), buffer_span(&twice)));
  buffer_fini(&compact);
  buffer_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct span line = {(const char *)data, size};
  struct record record;
  const char *why = NULL;
  enum record_kind kind = record_read(line, &record, &why);
  if (kind == RECORD_OK)
    check_record(&record, line);
  else
    require(kind == RECORD_BLANK || kind == RECORD_AMENDMENT || (why && *why));
  check_dialects(line);
  return 0;
}
