/* json_reader.h - reads JSON text in place: checks it and walks objects.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Values are spans of the text they stand in, so key order and number texts survive, which no
 * parser that builds a tree offers (docs/design.md, "Why records are not read with json-c").
 * Two dialects:
 *   strict   RFC 8259; valid UTF-8; no exponent beyond a double's range; no lone surrogates, also
 *            as \u escapes; no duplicate names in an object, compared decoded, at any depth; at
 *            most some 90,000 names a text (its memory is a fixed piece of the stack).
 *   lenient  what Python's json.loads() takes: also NaN, Infinity and -Infinity, lone surrogate
 *            escapes, and duplicate names (the last wins). Bytes that are not UTF-8 are refused
 *            here too: Python cannot read such a file.
 * Both: at most `max_depth` nested objects and arrays, at most JSON_NUMBER_MAX bytes a number.
 * Nothing here allocates. */
#ifndef KAIZEN_COMMON_JSON_READER_H
#define KAIZEN_COMMON_JSON_READER_H

#include "common/json_value.h"

#define JSON_DEPTH_MAX 32     /* of what we write */
#define JSON_DEPTH_LIMIT 1024 /* largest max_depth; about where Python's own reader gives up */

enum json_dialect { JSON_STRICT, JSON_LENIENT };

struct json_fault { /* what is wrong with a text */
  size_t offset;    /* of the byte where it shows */
  char why[96];
};

/* Walks one object: *reader is opened on its text, next() answers 1 with a member, 0 at the end
 * (and only white space after it), -1 with *fault. Nested
 * values are checked to their ends on the way. In the strict dialect open() has checked the whole
 * text, duplicates included: next() then never fails. To walk a nested value of a text that was
 * checked, open it lenient: the check is not repeated. */
struct json_reader {
  const char *begin, *at, *end;
  const char *why; /* after -1: what is wrong, static text */
  enum json_dialect dialect;
  unsigned max_depth;
  unsigned members; /* how many next() has answered */
};
/* 0; 1 when the text is one JSON value but not an object; -1 with *fault, which may be NULL
 * everywhere here. */
int json_reader_open(struct json_reader *reader, struct span text, enum json_dialect dialect,
                     unsigned max_depth, struct json_fault *fault);
int json_reader_next(struct json_reader *reader, struct json_member *member,
                     struct json_fault *fault);

/* Checks one whole text of any type; fills *value. */
int json_reader_check(struct span text, enum json_dialect dialect, unsigned max_depth,
                      struct json_value *value, struct json_fault *fault);

#endif
