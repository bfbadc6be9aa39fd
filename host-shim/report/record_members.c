/* record_members.c - members of a line of the log, read in place: all that Python's
 * json.loads() takes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/record_members.h"

#include <math.h>
#include <string.h>

#include "base/utf8_text.h"

void record_members_find(struct span object, const struct record_member *wanted, size_t count) {
  struct json_reader reader;
  struct json_member member;

  if (json_reader_open(&reader, object, JSON_LENIENT, JSON_DEPTH_LIMIT, NULL) != 0)
    return;
  while (json_reader_next(&reader, &member, NULL) == 1)
    for (size_t i = 0; i < count; i++)
      if (wanted[i].name && json_value_is_named(&member, wanted[i].name))
        *wanted[i].value = member.value;
}

double record_members_number(const struct json_value *value) {
  double number = value->raw.ptr && value->type == JSON_NUMBER ? json_value_number(*value) : NAN;

  return isfinite(number) ? number + 0.0 : NAN; /* never -0, which is shown as "-0 ms" */
}

void record_members_text(const struct json_value *value, char *out, size_t size) {
  bool is_plain = value->raw.ptr && value->type != JSON_NULL && value->type != JSON_ARRAY &&
                  value->type != JSON_OBJECT;
  size_t len = 0;

  if (is_plain && value->type == JSON_STRING)
    len = json_value_decode_bounded(*value, out, size);
  else if (is_plain)
    memcpy(out, value->raw.ptr, (len = value->raw.len) < size ? len : size);
  if (len >= size)
    for (len = size - 1; len > 0 && (out[len] & 0xC0) == 0x80;)
      len--;
  out[len] = '\0';
}

void record_members_print(FILE *out, const char *line, size_t len) {
  bool in_string = false;
  size_t written = 0;

  for (size_t at = 0; at < len; at++) {
    bool is_signed = line[at] == '-' && at + 1 < len;

    if (!in_string && memchr("NI", line[at + is_signed], 2)) {
      utf8_text_print_json(out, line + written, at - written);
      fputs("null", out);
      at += is_signed + (line[at + is_signed] == 'N' ? sizeof "NaN" : sizeof "Infinity") - 2;
      written = at + 1;
    } else if (line[at] == '"') {
      in_string = !in_string;
    } else if (in_string && line[at] == '\\') {
      at++;
    }
  }
  utf8_text_print_json(out, line + written, len - written);
}

void record_members_tell(struct span line, struct record_told *told) {
  struct json_value timestamp = {0}, success = {0}, time = {0}, quality = {0}, session = {0},
                    metadata = {0}, error = {0}, outcome = {0};
  const struct record_member wanted[] = {
      {"timestamp", &timestamp},   {"success", &success},    {"execution_time_s", &time},
      {"quality_score", &quality}, {"session_id", &session}, {"metadata", &metadata},
  };
  const struct record_member inner[] = {{"error_type", &error}, {"outcome", &outcome}};

  record_members_find(line, wanted, sizeof wanted / sizeof *wanted);
  if (metadata.raw.ptr)
    record_members_find(metadata.raw, inner, sizeof inner / sizeof *inner);
  told->success = success.raw.ptr && success.type == JSON_TRUE;
  told->duration_s = record_members_number(&time);
  if (told->duration_s < 0)
    told->duration_s = NAN;
  told->quality = record_members_number(&quality);
  record_members_text(&timestamp, told->ended, sizeof told->ended);
  record_members_text(&session, told->session_id, sizeof told->session_id);
  record_members_text(&error, told->reason, sizeof told->reason);
  if (told->reason[0] == '\0')
    record_members_text(&outcome, told->reason, sizeof told->reason);
}
