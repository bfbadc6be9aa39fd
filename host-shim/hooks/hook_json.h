/* hook_json.h - small edits of JSON settings; all other bytes stay.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The text is edited, not parsed and printed again: comments, order, number texts, indentation and
 * line ends stay. It reads JSON and what settings files add to it: // and slash-star comments,
 * commas after the last member, names and texts in single quotes, names without quotes. */
#ifndef KAIZEN_HOST_HOOK_JSON_H
#define KAIZEN_HOST_HOOK_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/problem.h"

struct hook_json { /* a document being edited; zero it first */
  char *text;      /* NUL-terminated */
  size_t len;
};
struct hook_json_span { /* of a value in the text; of a string with its quotes */
  size_t start, end;
};

enum { HOOK_JSON_PATH_MAX = 6 };
/* Names of members from the outside in; ends with NULL. */
typedef const char *const hook_json_path[HOOK_JSON_PATH_MAX];

/* Takes a copy; an empty text becomes {}. -1: it is not a JSON object (EXIT_CODE_REFUSED, with line
 * and column). */
int hook_json_open(struct hook_json *json, const char *text, size_t len, struct problem *problem);
void hook_json_close(struct hook_json *json);

/* The value at the path; false: there is none.  Of members with the same name the last one counts,
 * as for the programs that read the file. */
bool hook_json_find(const struct hook_json *json, hook_json_path path,
                    struct hook_json_span *value);
/* The i-th element, or member's value, of a container; false: there are fewer, or it is not a
 * container. */
bool hook_json_element(const struct hook_json *json, const struct hook_json_span *container,
                       size_t i, struct hook_json_span *value);
/* A member of an object. */
bool hook_json_member(const struct hook_json *json, const struct hook_json_span *object,
                      const char *name, struct hook_json_span *value);
/* The name of its i-th member, cut to the room; false: there are fewer. */
bool hook_json_name(const struct hook_json *json, const struct hook_json_span *object, size_t i,
                    char *out, size_t room);
/* How many members of an object have that name. */
size_t hook_json_count(const struct hook_json *json, const struct hook_json_span *object,
                       const char *name);
/* The next string value (no member's name) at or after `from` in the span; its text without quotes
 * and escapes goes to `out`, cut to the room. False: there is none. */
bool hook_json_next_string(const struct hook_json *json, const struct hook_json_span *within,
                           size_t from, struct hook_json_span *value, char *out, size_t room);

/* Each keeps the document whole; -1 without memory, or EXIT_CODE_REFUSED when something on the path
 * is of another type. */
/* Adds an element at the end of the array; missing arrays and objects of the path are made. */
int hook_json_append(struct hook_json *json, hook_json_path path, const char *value,
                     struct problem *problem);
/* Adds the member when it is missing. */
int hook_json_set(struct hook_json *json, hook_json_path path, const char *value,
                  struct problem *problem);
int hook_json_replace(struct hook_json *json, const struct hook_json_span *value, const char *text,
                      struct problem *problem);
/* Removes the i-th element or member of the container, with its comma. */
int hook_json_remove(struct hook_json *json, const struct hook_json_span *container, size_t i,
                     struct problem *problem);
/* Removes the member at the path. */
int hook_json_unset(struct hook_json *json, hook_json_path path, struct problem *problem);

#endif
