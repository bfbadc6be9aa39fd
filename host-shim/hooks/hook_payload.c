/* hook_payload.c - the JSON that a coding agent gives its hook, and finding a value in it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_payload.h"

#include <limits.h>
#include <string.h>

enum { DEPTH_MAX = 256, MEMBER_NAME_MAX = 64 };

struct json_object *hook_payload_parse(const char *text, size_t len) {
  struct json_object *payload = NULL;
  struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);

  if (!tokener)
    return NULL;
  if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
    text += 3;
    len -= 3;
  }
  if (len < INT_MAX)
    payload = json_tokener_parse_ex(tokener, text, (int)len);
  json_tokener_free(tokener);
  if (json_object_is_type(payload, json_type_object))
    return payload;
  json_object_put(payload);
  return NULL;
}

bool hook_payload_find(struct json_object *payload, const char *name, struct json_object **value) {
  struct json_object *object = payload;
  char part[MEMBER_NAME_MAX];

  for (;;) {
    size_t len = strcspn(name, ".");
    struct json_object *member = NULL;

    if (len >= sizeof part || !json_object_is_type(object, json_type_object))
      return false;
    memcpy(part, name, len);
    part[len] = '\0';
    if (!json_object_object_get_ex(object, part, &member))
      return false;
    if (name[len] == '\0') {
      *value = member;
      return true;
    }
    object = member;
    name += len + 1;
  }
}

const char *hook_payload_text(struct json_object *value) {
  if (json_object_is_type(value, json_type_array) && json_object_array_length(value) > 0)
    value = json_object_array_get_idx(value, 0);
  if (!json_object_is_type(value, json_type_string) && !json_object_is_type(value, json_type_int))
    return NULL;
  const char *text = json_object_get_string(value);
  return text && *text != '\0' ? text : NULL;
}
