/* result_json.h - JSON as programs print it: on one line or many, with other output around it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RESULT_JSON_H
#define KAIZEN_HOST_RESULT_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/* Passes on each object that is a line of the text, whatever is before it on its line: a byte order
 * mark, escape codes, a warning.  How many of them `take` answered true for. */
size_t result_json_events(const char *text, size_t len,
                          bool (*take)(void *ctx, struct json_object *event), void *ctx);
/* The last object that `fits`, in a value or an array that is a line of the text or begins in one;
 * lines without the text `holds` are skipped. The caller puts it; NULL: there is none. */
struct json_object *result_json_find(const char *text, size_t len, const char *holds,
                                     bool (*fits)(struct json_object *object));

/* A member that is a word of at most `max` bytes, or "". */
void result_json_word(struct json_object *object, const char *name, char *out, size_t max);
/* A member that is a number of tokens; `otherwise` when there is none, NAN when it is not such a
 * number: a sum with it is unknown. */
double result_json_tokens(struct json_object *object, const char *name, double otherwise);
/* A member that is a number above 0, or 0. */
double result_json_number(struct json_object *object, const char *name);

#endif
