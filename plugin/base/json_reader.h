/* json_reader.h - reads JSON text in place: checks it, walks objects, decodes values. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Values are spans of the text they stand in, so key order and number texts survive, which no
 * tree-building parser at hand offers (docs/design.md, "Why records are not read with json-c").
 * Two dialects:
 *   strict   RFC 8259; valid UTF-8; no exponent beyond a double's range; no lone surrogates, also
 *            as \u escapes; no duplicate names in an object, compared decoded, at any depth; at
 *            most some 90,000 names a text (its memory is a fixed piece of the stack).
 *   lenient  what Python's json.loads() takes: also NaN, Infinity and -Infinity, lone surrogate
 *            escapes, and duplicate names (the last wins). Bytes that are no UTF-8 are refused
 *            here too: Python cannot read such a file.
 * Both: at most `max_depth` nested objects and arrays, at most JSON_NUMBER_MAX bytes a number.
 * Nothing here allocates but json_decode_string() and json_compact() in their *out. */
#ifndef KAIZEN_BASE_JSON_READER_H
#define KAIZEN_BASE_JSON_READER_H

#include "base/buffer.h"
#include "base/error.h"

#define JSON_NUMBER_MAX 512
#define JSON_DEPTH_MAX 32     /* of what we write */
#define JSON_DEPTH_LIMIT 1024 /* largest max_depth; about where Python's own reader gives up */

enum json_dialect { JSON_STRICT, JSON_LENIENT };
enum json_type {
  JSON_NULL,
  JSON_FALSE,
  JSON_TRUE,
  JSON_NUMBER,
  JSON_STRING,
  JSON_ARRAY,
  JSON_OBJECT
};

struct json_value {
  enum json_type type;
  struct span raw; /* the value's own text; a string with its quotes */
};
struct json_member {
  struct span name; /* raw text between the quotes, escapes not decoded */
  struct json_value value;
};

/* Walks one object: *cursor is opened on its text, next() answers 1 with a member, 0 at the end
 * (and only white space after it), -1 with *error naming the byte offset and what is wrong. Nested
 * values are checked to their ends on the way. In the strict dialect open() has checked the whole
 * text, duplicates included: next() then never fails. To walk a nested value of a text that was
 * checked, open it lenient: the check is not repeated. */
struct json_cursor {
  const char *begin, *at, *end;
  const char *why; /* after -1: what is wrong, static text */
  enum json_dialect dialect;
  unsigned max_depth;
  unsigned members; /* how many next() has answered */
};
/* 0; 1 when the text is one JSON value but no object; -1 with *error (KAIZEN_E_REJECTED). `error`
 * may be NULL. */
int json_cursor_open(struct json_cursor *cursor, struct span text, enum json_dialect dialect,
                     unsigned max_depth, struct error *error);
int json_cursor_next(struct json_cursor *cursor, struct json_member *member, struct error *error);

/* Checks one whole text of any type; fills *value. */
int json_check(struct span text, enum json_dialect dialect, unsigned max_depth,
               struct json_value *value, struct error *error);

/* Decodes a checked string value (or a member's raw name) to UTF-8, appended to *out. A lone
 * surrogate (lenient dialect only) becomes U+FFFD. */
void json_decode_string(struct json_value value, struct buffer *out);
/* The same into `cap` bytes, no NUL added; answers the decoded length, which may be more than
 * `cap`. */
size_t json_decode_bounded(struct json_value value, char *out, size_t cap);
/* Compared decoded; `name` has no backslash. */
bool json_name_is(const struct json_member *member, const char *name);

/* The number as the nearest double (round to even), whatever the locale. Infinite when it
 * overflows, NaN for NaN. Never sets errno. */
double json_number(struct json_value value);
/* 1 when the text is an integer (no fraction, no exponent) within int64_t, *out filled; else 0. */
int json_integer(struct json_value value, int64_t *out);

/* Appends a checked strict value without white space between tokens, with its own key order and
 * number texts; in strings everything json_writer_string() escapes is escaped, the rest is as it
 * was. */
void json_compact(struct json_value value, struct buffer *out);

#endif
