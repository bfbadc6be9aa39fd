/* nemo_json.h - members of the JSON objects that the host hands over.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Values come from a text that was read to its end before.  Of two equal names the last counts. */
#ifndef KAIZEN_NEMO_JSON_H
#define KAIZEN_NEMO_JSON_H

#include <stdbool.h>

#include "common/json_reader.h"

/* False when `object` is not an object or has no such member, or it is null. */
bool nemo_json_find(struct json_value object, const char *name, struct json_value *value);
/* True when the value is a text of 1 to cap - 1 bytes without control characters; else *out is
 * "". */
bool nemo_json_decode(struct json_value value, char *out, size_t cap);
/* The same of a member. */
bool nemo_json_text(struct json_value object, const char *name, char *out, size_t cap);
/* The same of a member that is one word: letters, digits and _ . : - in ASCII. */
bool nemo_json_word(struct json_value object, const char *name, char *out, size_t cap);
/* True when the member is an integer >= 0. */
bool nemo_json_count(struct json_value object, const char *name, int64_t *count);

#endif
