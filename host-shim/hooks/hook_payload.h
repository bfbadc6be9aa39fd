/* hook_payload.h - the JSON that a coding agent gives its hook, and finding a value in it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_PAYLOAD_H
#define KAIZEN_HOST_HOOK_PAYLOAD_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/* The payload's text as JSON: a byte order mark, white space and anything after the object are
 * tolerated. NULL: it is not a JSON object. */
struct json_object *hook_payload_parse(const char *text, size_t len);
/* `name` is a member's, or "a.b" for a member of a member. True when it exists; *value is NULL for
 * JSON null. */
bool hook_payload_find(struct json_object *payload, const char *name, struct json_object **value);
/* A string, a whole number as its digits, or the first one of an array; NULL for anything else,
 * and for an empty text. */
const char *hook_payload_text(struct json_object *value);

#endif
