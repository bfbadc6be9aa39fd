/* json_value.h - JSON values as spans of their text, and what they mean.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every value here was checked by json_reader.h: no escape is cut short, no quote is missing. Only
 * json_value_decode() and json_value_compact() allocate, in their *out. */
#ifndef KAIZEN_COMMON_JSON_VALUE_H
#define KAIZEN_COMMON_JSON_VALUE_H

#include "common/buffer.h"

#define JSON_NUMBER_MAX 512 /* bytes of a number's text */

enum json_value_type {
  JSON_NULL,
  JSON_FALSE,
  JSON_TRUE,
  JSON_NUMBER,
  JSON_STRING,
  JSON_ARRAY,
  JSON_OBJECT
};

struct json_value {
  enum json_value_type type;
  struct span raw; /* the value's own text; a string with its quotes */
};
struct json_member {
  struct span name; /* raw text between the quotes, escapes not decoded */
  struct json_value value;
};

/* Decodes a checked string value (or a member's raw name) to UTF-8, appended to *out. A lone
 * surrogate (lenient dialect only) becomes U+FFFD. */
void json_value_decode(struct json_value value, struct buffer *out);
/* The same into `cap` bytes, no NUL added; answers the decoded length, which may be more than
 * `cap`. */
size_t json_value_decode_bounded(struct json_value value, char *out, size_t cap);
/* Compared decoded; `name` has no backslash. */
bool json_value_is_named(const struct json_member *member, const char *name);

/* The number as the nearest double (round to even), whatever the locale. Infinite when it
 * overflows, NaN for NaN. Never sets errno. */
double json_value_number(struct json_value value);
/* 1 when the text is an integer (no fraction, no exponent) within int64_t, *out filled; else 0. */
int json_value_integer(struct json_value value, int64_t *out);

/* Appends a checked strict value without white space between tokens, with its own key order and
 * number texts; in strings everything json_writer_string() escapes is escaped, the rest is as it
 * was. */
void json_value_compact(struct json_value value, struct buffer *out);

/* Both take raw string text without its quotes, and work on the decoded text. */
uint64_t json_value_text_hash(struct span raw);
bool json_value_text_equal(struct span a, struct span b);

#endif
