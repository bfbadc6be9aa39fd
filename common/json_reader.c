/* json_reader.c - one scanner for both dialects: in place, iterative, without allocation.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common/json_reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/json_bytes.h"
#include "common/json_names.h"
#include "common/utf8.h"

static const char too_deep[] = "objects and arrays are nested too deeply";
static const char too_many_names[] = "the text has too many names";

static int fail(struct json_reader *c, const char *why) {
  c->why = why;
  return -1;
}

static int report(const struct json_reader *c, struct json_fault *fault) {
  if (!fault)
    return -1;
  fault->offset = (size_t)(c->at - c->begin);
  if (c->why == too_deep)
    (void)snprintf(fault->why, sizeof fault->why,
                   "objects and arrays are nested more than %u levels deep", c->max_depth);
  else
    (void)snprintf(fault->why, sizeof fault->why, "%s", c->why);
  return -1;
}

static void pass_space(struct json_reader *c) {
  const char *at = c->at;

  while (at < c->end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
    at++;
  c->at = at;
}

/* Scalars. */

static bool is_hex4(const char *at, const char *end) {
  if (end - at < 4)
    return false;
  for (int i = 0; i < 4; i++) {
    char c = at[i];

    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
      return false;
  }
  return true;
}

/* First hexadecimal digits of a UTF-16 surrogate: D8-DB high, DC-DF low. */
static bool is_surrogate(const char *hex, char first, char last) {
  char second = hex[1] >= 'a' ? (char)(hex[1] - 'a' + 'A') : hex[1];

  return (hex[0] == 'd' || hex[0] == 'D') && second >= first && second <= last;
}

/* c->at on a backslash. */
static int pass_escape(struct json_reader *c) {
  const char *at = c->at;

  if (c->end - at < 2 || at[1] == '\0' || !strchr("\"\\/bfnrtu", at[1]))
    return fail(c, "unknown escape in a string");
  c->at += 2;
  if (at[1] != 'u')
    return 0;
  if (!is_hex4(at + 2, c->end))
    return fail(c, "\\u needs four hexadecimal digits");
  c->at += 4;
  if (c->dialect == JSON_LENIENT || !is_surrogate(at + 2, '8', 'F'))
    return 0;
  if (is_surrogate(at + 2, '8', 'B') && c->end - c->at >= 6 && c->at[0] == '\\' &&
      c->at[1] == 'u' && is_hex4(c->at + 2, c->end) && is_surrogate(c->at + 2, 'C', 'F')) {
    c->at += 6;
    return 0;
  }
  c->at = at;
  return fail(c, "half a surrogate pair is not a character");
}

/* c->at on a quote. */
static int pass_string(struct json_reader *c) {
  c->at++;
  for (;;) {
    c->at = json_plain_end(c->at, c->end);
    if (c->at == c->end)
      return fail(c, "the text ends inside a string");
    unsigned char byte = (unsigned char)*c->at;
    if (byte == '"') {
      c->at++;
      return 0;
    }
    if (byte == '\\') {
      if (pass_escape(c) != 0)
        return -1;
      continue;
    }
    if (byte < 0x20)
      return fail(c, "a control character in a string must be written as an escape");
    size_t n = utf8_sequence(c->at, c->end);
    if (n == 0)
      return fail(c, "not UTF-8");
    c->at += n;
  }
}

static bool pass_digits(struct json_reader *c) {
  const char *from = c->at;

  while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
    c->at++;
  return c->at > from;
}

/* 1e999 is grammatical and reads as infinity: what Python would then write back is not JSON. */
static bool is_beyond_double(struct json_reader *c, const char *from) {
  struct span raw = {from, (size_t)(c->at - from)};

  return isinf(json_value_number((struct json_value){JSON_NUMBER, raw}));
}

static int pass_number(struct json_reader *c) {
  const char *from = c->at;
  bool exponent = false;

  c->at += *c->at == '-';
  const char *digits = c->at;
  if (!pass_digits(c))
    return fail(c, "a number needs a digit here");
  if (*digits == '0' && c->at - digits > 1)
    return fail(c, "a number must not start with 0");
  if (c->at < c->end && *c->at == '.') {
    c->at++;
    if (!pass_digits(c))
      return fail(c, "a number needs a digit after its decimal point");
  }
  if (c->at < c->end && (*c->at == 'e' || *c->at == 'E')) {
    c->at++;
    exponent = true;
    if (c->at < c->end && (*c->at == '+' || *c->at == '-'))
      c->at++;
    if (!pass_digits(c))
      return fail(c, "a number needs a digit in its exponent");
  }
  if (c->at - from > JSON_NUMBER_MAX)
    return fail(c, "a number is longer than 512 characters");
  if (exponent && c->dialect == JSON_STRICT && is_beyond_double(c, from)) {
    c->at = from;
    return fail(c, "the number is too large for a double; give a finite one");
  }
  return 0;
}

static bool pass_literal(struct json_reader *c, const char *text) {
  size_t len = strlen(text);

  if ((size_t)(c->end - c->at) < len || memcmp(c->at, text, len) != 0)
    return false;
  c->at += len;
  return true;
}

/* Not finite: Python reads them as numbers; they are not JSON. */
static int pass_non_finite(struct json_reader *c) {
  const char *from = c->at;

  if (!pass_literal(c, "NaN") && !pass_literal(c, "Infinity") && !pass_literal(c, "-Infinity"))
    return fail(c, *c->at == '-' ? "a number needs a digit here" : "a value is expected here");
  if (c->dialect == JSON_LENIENT)
    return 0;
  c->at = from;
  return fail(c, "NaN and Infinity are not JSON numbers; leave the field out");
}

/* Anything but an object or array. */
static int pass_scalar(struct json_reader *c, enum json_value_type *type) {
  if (c->at == c->end)
    return fail(c, "the text ends where a value is expected");
  char first = *c->at;
  *type = JSON_NUMBER;
  if (first == '"') {
    *type = JSON_STRING;
    return pass_string(c);
  }
  if ((first >= '0' && first <= '9') || (first == '-' && c->end - c->at > 1 && c->at[1] != 'I'))
    return pass_number(c);
  if (first == 't' && pass_literal(c, "true")) {
    *type = JSON_TRUE;
    return 0;
  }
  if (first == 'f' && pass_literal(c, "false")) {
    *type = JSON_FALSE;
    return 0;
  }
  if (first == 'n' && pass_literal(c, "null")) {
    *type = JSON_NULL;
    return 0;
  }
  return pass_non_finite(c);
}

/* Objects and arrays. */

/* Skips `"name" :` and the white space around it. */
static int pass_name(struct json_reader *c, struct span *name) {
  if (c->at == c->end || *c->at != '"')
    return fail(c, "a name in double quotes is expected here");
  const char *from = c->at + 1;
  if (pass_string(c) != 0)
    return -1;
  *name = (struct span){from, (size_t)(c->at - 1 - from)};
  pass_space(c);
  if (c->at == c->end || *c->at != ':')
    return fail(c, "':' is expected here");
  c->at++;
  pass_space(c);
  return 0;
}

/* The same, and the name is new to its object.  names NULL: any name is. */
static int pass_new_name(struct json_reader *c, struct json_names *names, uint32_t object) {
  const char *from = c->at;
  struct span name;

  if (pass_name(c, &name) != 0)
    return -1;
  enum json_names_result result = names ? json_names_add(names, object, name) : JSON_NAMES_NEW;
  if (result == JSON_NAMES_NEW)
    return 0;
  c->at = from;
  return fail(c, result == JSON_NAMES_FULL ? too_many_names : "a name appears twice in one object");
}

/* c->at is on { or [, inside `depth` others: skips to its end. Iterative, so that depth costs no
 * stack. */
static int pass_container(struct json_reader *c, struct json_names *names, unsigned depth) {
  uint32_t open
      [JSON_DEPTH_LIMIT]; /* offsets of what is open: tells { from [, and one object from another */
  unsigned level = 0;
  enum json_value_type type;

  do {
    char first = c->at < c->end ? *c->at : '\0';

    if (first == '{' || first == '[') {
      if (depth + level >= c->max_depth)
        return fail(c, too_deep);
      open[level++] = (uint32_t)(c->at++ - c->begin);
      pass_space(c);
      bool empty = c->at < c->end && *c->at == (first == '{' ? '}' : ']');
      if (!empty) {
        if (first == '{' && pass_new_name(c, names, open[level - 1]) != 0)
          return -1;
        continue;
      }
    } else if (pass_scalar(c, &type) != 0) {
      return -1;
    }
    while (level > 0) { /* after a value, or on the end of an empty container */
      bool object = c->begin[open[level - 1]] == '{';
      pass_space(c);
      if (c->at < c->end && *c->at == (object ? '}' : ']')) {
        c->at++;
        level--;
        continue;
      }
      if (c->at == c->end || *c->at != ',')
        return fail(c, object ? "',' or '}' is expected here" : "',' or ']' is expected here");
      c->at++;
      pass_space(c);
      if (object && pass_new_name(c, names, open[level - 1]) != 0)
        return -1;
      break;
    }
  } while (level > 0);
  return 0;
}

static int pass_value(struct json_reader *c, struct json_names *names, unsigned depth,
                      struct json_value *value) {
  const char *from = c->at;
  char first = from < c->end ? *from : '\0';
  value->type = first == '{' ? JSON_OBJECT : JSON_ARRAY;
  if ((first == '{' || first == '[' ? pass_container(c, names, depth)
                                    : pass_scalar(c, &value->type)) != 0)
    return -1;
  value->raw = (struct span){from, (size_t)(c->at - from)};
  return 0;
}

/* Whole texts. */

static int start(struct json_reader *c, struct span text, enum json_dialect dialect,
                 unsigned max_depth) {
  *c = (struct json_reader){.begin = text.ptr, .at = text.ptr, .dialect = dialect};
  c->end = text.len ? text.ptr + text.len : text.ptr;
  c->max_depth = max_depth < JSON_DEPTH_LIMIT ? max_depth : JSON_DEPTH_LIMIT;
  if (text.len >= UINT32_MAX)
    return fail(c, "the text is longer than 4 GiB");
  pass_space(c);
  return 0;
}

static int pass_end(struct json_reader *c) {
  pass_space(c);
  return c->at == c->end ? 0 : fail(c, "there is more text after the value's end");
}

static int pass_text(struct json_reader *c, struct json_names *names, struct json_value *value) {
  return pass_value(c, names, 0, value) == 0 ? pass_end(c) : -1;
}

/* As many passes as the number of names needs, one for any record of usual size. */
static int pass_strict_text(struct json_reader *c, struct json_value *value) {
  struct json_names names;
  const char *from = c->at;
  size_t len = (size_t)(c->end - c->begin);

  for (uint32_t pass = 0, passes = 1; pass < passes;) {
    json_names_start(&names, c->begin, len, pass, passes);
    c->at = from;
    if (pass_text(c, &names, value) == 0) {
      pass++;
    } else if (c->why == too_many_names && passes < JSON_NAMES_PASSES_MAX) {
      pass = 0;
      passes *= 2;
    } else {
      return -1;
    }
  }
  return 0;
}

int json_reader_check(struct span text, enum json_dialect dialect, unsigned max_depth,
                      struct json_value *value, struct json_fault *fault) {
  struct json_reader c;
  if (start(&c, text, dialect, max_depth) != 0 ||
      (dialect == JSON_STRICT ? pass_strict_text(&c, value) : pass_text(&c, NULL, value)) != 0)
    return report(&c, fault);
  return 0;
}

int json_reader_open(struct json_reader *c, struct span text, enum json_dialect dialect,
                     unsigned max_depth, struct json_fault *fault) {
  struct json_value value;
  if (start(c, text, dialect, max_depth) != 0)
    return report(c, fault);
  const char *from = c->at;
  bool object = from < c->end && *from == '{';
  if (dialect == JSON_STRICT ? pass_strict_text(c, &value) != 0
                             : !object && pass_text(c, NULL, &value) != 0)
    return report(c, fault);
  if (object && c->max_depth == 0) {
    c->why = too_deep;
    return report(c, fault);
  }
  c->at = object ? from + 1 : c->end;
  return object ? 0 : 1;
}

/* 1 before a member's name, 0 on the object's end, which is then the text's. */
static int find_member(struct json_reader *c) {
  pass_space(c);
  if (c->at == c->end)
    return fail(c, "the text ends inside an object");
  if (*c->at == '}') {
    const char *brace = c->at++;

    if (pass_end(c) != 0)
      return -1;
    c->at = brace;
    return 0;
  }
  if (c->members > 0) {
    if (*c->at != ',')
      return fail(c, "',' or '}' is expected here");
    c->at++;
    pass_space(c);
  }
  return 1;
}

int json_reader_next(struct json_reader *c, struct json_member *member, struct json_fault *fault) {
  int found = find_member(c);

  if (found == 0)
    return 0;
  if (found < 0 || pass_name(c, &member->name) != 0 || pass_value(c, NULL, 1, &member->value) != 0)
    return report(c, fault);
  c->members++;
  return 1;
}
