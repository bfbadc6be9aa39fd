/* execution.c - one checked execution: its line, and the key that may be derived for it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/execution.h"

#include "common/json_writer.h"
#include "record/event_id.h"

#define DERIVED_PREFIX "line:"

void execution_fini(struct execution *execution) {
  buffer_fini(&execution->line);
  buffer_fini(&execution->key);
  buffer_fini(&execution->scratch);
  buffer_fini(&execution->others);
  *execution = (struct execution){0};
}

int execution_derive_key(struct execution *execution, struct span text,
                         const struct execution_limits *limits, struct error *error) {
  struct span none = {"", 0};
  char id[UUID_TEXT_SIZE];

  if (event_id_from_key(none, none, text, id) != 0)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  buffer_append_text(&execution->key, DERIVED_PREFIX);
  buffer_append_text(&execution->key, id);
  buffer_append_text(&execution->line, ",\"idempotency_key\":\"" DERIVED_PREFIX);
  buffer_append_text(&execution->line, id);
  buffer_append_text(&execution->line, "\"");
  if (execution->key.failed || execution->line.failed)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  if (execution->line.len + 1 > limits->max_record_bytes)
    return error_set(error, KAIZEN_E_REJECTED,
                     "the record has %zu bytes with its derived key; max_record_bytes allows %zu",
                     execution->line.len + 1, limits->max_record_bytes);
  return 0;
}

void execution_append_line(const struct execution *execution, const char *event_id,
                           struct span project, const struct event_numbers *numbers,
                           struct buffer *out) {
  buffer_append(out, execution->line.data, execution->line.len);
  if (event_id) {
    buffer_append_text(out, ",\"event_id\":\"");
    buffer_append_text(out, event_id);
    buffer_append_text(out, "\",\"event\":{\"project\":");
    json_writer_string(out, project);
    buffer_append_text(out, ",\"success_rate\":");
    json_writer_double(out, numbers->success_rate);
    buffer_append_text(out, ",\"execution_count\":");
    json_writer_integer(out, (int64_t)numbers->execution_count);
    buffer_append_text(out, ",\"avg_quality\":");
    json_writer_double(out, numbers->avg_quality);
    buffer_append_byte(out, '}');
  }
  buffer_append(out, "}\n", 2);
}
