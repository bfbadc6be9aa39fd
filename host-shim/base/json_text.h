/* json_text.h - JSON as text: members put into an object without touching what is there.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A record on standard input reaches the plugin byte for byte except for the members that options
 * replace: the plugin judges number texts, their precision and all mistakes, not a parser in
 * between. */
#ifndef KAIZEN_HOST_JSON_TEXT_H
#define KAIZEN_HOST_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <json-c/json.h>

struct json_text_member {
  char *name;  /* plain text, no quotes */
  char *value; /* JSON text */
  bool weak;   /* only if the object has no member of that name */
};
struct json_text_members {
  struct json_text_member *list;
  size_t count, room;
};

void json_text_members_free(struct json_text_members *members);
/* Each answers 0, or -1 when there is no memory.  Everything is copied; a name that exists gets the
 * new value. */
int json_text_members_add_json(struct json_text_members *members, const char *name,
                               const char *json);
int json_text_members_add_text(struct json_text_members *members, const char *name,
                               const char *text);
int json_text_members_add_number(struct json_text_members *members, const char *name,
                                 double number);
/* The member of that name, or NULL. */
struct json_text_member *json_text_members_find(const struct json_text_members *members,
                                                const char *name);

/* `object` (JSON text) with the members in place of its own of the same names, or after them.
 * Newly allocated, NUL-terminated.  NULL when `object` is not one JSON object, judged by brackets
 * and strings (errno EINVAL), or without memory (ENOMEM). */
char *json_text_splice(const char *object, size_t len, const struct json_text_members *members);
/* The value of a top-level member as text inside `object`; NULL when there is none. */
const char *json_text_value(const char *object, size_t len, const char *name, size_t *value_len);

/* `text` as a JSON string with its quotes, control characters escaped; newly allocated, NULL
 * without memory. */
char *json_text_quote(const char *text);
/* True for the text of a JSON number (json-c also accepts "1." and "NaN"). */
bool json_text_is_number(const char *text);
/* The double as an object for a document to be printed; a number that is not finite becomes
 * null. */
struct json_object *json_text_new_double(double number);
/* A string object whose bytes are valid UTF-8 whatever `text` holds. */
struct json_object *json_text_new_string(const char *text);
/* One whole JSON value, strictly: valid UTF-8, nothing after it.  NULL with *problem_at (a byte
 * offset) and *description (static).  JSON null is refused too: no document of ours is null. */
struct json_object *json_text_parse(const char *text, size_t len, size_t *problem_at,
                                    const char **description);

#endif
