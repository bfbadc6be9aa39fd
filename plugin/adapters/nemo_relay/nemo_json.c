/* nemo_json.c - members of the JSON objects that the host hands over.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "adapters/nemo_relay/nemo_json.h"

#include <string.h>

bool nemo_json_find(struct json_value object, const char *name, struct json_value *value) {
  struct json_reader reader;
  struct json_member member;
  bool found = false;

  if (object.type != JSON_OBJECT ||
      json_reader_open(&reader, object.raw, JSON_LENIENT, JSON_DEPTH_LIMIT, NULL) != 0)
    return false;
  while (json_reader_next(&reader, &member, NULL) == 1)
    if (json_value_is_named(&member, name)) {
      *value = member.value;
      found = member.value.type != JSON_NULL;
    }
  return found;
}

bool nemo_json_decode(struct json_value value, char *out, size_t cap) {
  size_t len = value.type == JSON_STRING ? json_value_decode_bounded(value, out, cap - 1) : 0;
  bool is_plain = len > 0 && len < cap;

  for (size_t i = 0; is_plain && i < len; i++)
    is_plain = (unsigned char)out[i] >= ' ' && out[i] != 0x7F;
  out[is_plain ? len : 0] = '\0';
  return is_plain;
}

bool nemo_json_text(struct json_value object, const char *name, char *out, size_t cap) {
  struct json_value value;

  if (nemo_json_find(object, name, &value))
    return nemo_json_decode(value, out, cap);
  out[0] = '\0';
  return false;
}

static bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         strchr("_.:-", c) != NULL;
}

bool nemo_json_word(struct json_value object, const char *name, char *out, size_t cap) {
  if (!nemo_json_text(object, name, out, cap))
    return false;
  for (const char *at = out; *at != '\0'; at++)
    if (!is_word_byte(*at)) {
      out[0] = '\0';
      return false;
    }
  return true;
}

bool nemo_json_count(struct json_value object, const char *name, int64_t *count) {
  struct json_value value;
  int64_t number;

  if (!nemo_json_find(object, name, &value) || value.type != JSON_NUMBER ||
      json_value_integer(value, &number) != 1 || number < 0)
    return false;
  *count = number;
  return true;
}
