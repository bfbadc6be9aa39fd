/* json_value.c - what checked JSON values mean: strings decoded, numbers, compact text.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything here relies on json_reader.c having checked the text. */
#include "common/json_value.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/decimal.h"
#include "common/json_bytes.h"
#include "common/json_writer.h"
#include "common/utf8.h"

/* Strings. */

static uint32_t hex4(const char *digits) {
  uint32_t value = 0;

  for (int i = 0; i < 4; i++) {
    uint32_t c = (unsigned char)digits[i];

    value = value << 4 | (c <= '9' ? c - (uint32_t)'0' : (c | 0x20) - (uint32_t)'a' + 10);
  }
  return value;
}

/* *at on the first of two \u escapes: reads one code point, both escapes of a pair. */
static uint32_t decode_u(const char **at, const char *end) {
  uint32_t high = hex4(*at + 2);

  *at += 6;
  if (high < 0xD800 || high > 0xDFFF)
    return high;
  if (high < 0xDC00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
    uint32_t low = hex4(*at + 2);

    if (low >= 0xDC00 && low <= 0xDFFF) {
      *at += 6;
      return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
  }
  return 0xFFFD;
}

/* *at on a backslash: reads the escape, answers its bytes in out. */
static size_t decode_escape(const char **at, const char *end, char out[4]) {
  static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
  char letter = (*at)[1];

  if (letter == 'u')
    return utf8_encode(decode_u(at, end), out);
  const char *found = strchr(from, letter);
  out[0] = found ? to[found - from] : letter;
  *at += 2;
  return 1;
}

/* Decoded text in runs: points *run into the text or into out[]; 0 at the end. */
static size_t next_run(const char **at, const char *end, char out[4], const char **run) {
  if (*at == end)
    return 0;
  if (**at == '\\') {
    *run = out;
    return decode_escape(at, end, out);
  }
  const char *stop = memchr(*at, '\\', (size_t)(end - *at));
  *run = *at;
  *at = stop ? stop : end;
  return (size_t)(*at - *run);
}

static struct span unquoted(struct span raw) {
  return raw.len && raw.ptr[0] == '"' ? (struct span){raw.ptr + 1, raw.len - 2} : raw;
}

void json_value_decode(struct json_value value, struct buffer *out) {
  struct span raw = unquoted(value.raw);
  const char *at = raw.ptr, *end = raw.len ? at + raw.len : at, *run;
  char escape[4];
  size_t n;

  while ((n = next_run(&at, end, escape, &run)) > 0)
    buffer_append(out, run, n);
}

size_t json_value_decode_bounded(struct json_value value, char *out, size_t cap) {
  struct span raw = unquoted(value.raw);
  const char *at = raw.ptr, *end = raw.len ? at + raw.len : at, *run;
  char escape[4];
  size_t n, len = 0;

  while ((n = next_run(&at, end, escape, &run)) > 0) {
    if (len < cap)
      memcpy(out + len, run, n < cap - len ? n : cap - len);
    len += n;
  }
  return len;
}

uint64_t json_value_text_hash(struct span raw) {
  const char *at = raw.ptr, *end = raw.len ? at + raw.len : at, *run;
  uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
  char escape[4];
  size_t n;

  while ((n = next_run(&at, end, escape, &run)) > 0)
    for (size_t i = 0; i < n; i++)
      hash = (hash ^ (unsigned char)run[i]) * UINT64_C(0x100000001B3);
  return hash;
}

static bool equal_decoded(struct span a, struct span b) {
  const char *at_a = a.ptr, *end_a = at_a + a.len, *at_b = b.ptr, *end_b = at_b + b.len;
  const char *run_a = NULL, *run_b = NULL;
  char escape_a[4], escape_b[4];
  size_t left_a = 0, left_b = 0;

  for (;;) {
    if (left_a == 0)
      left_a = next_run(&at_a, end_a, escape_a, &run_a);
    if (left_b == 0)
      left_b = next_run(&at_b, end_b, escape_b, &run_b);
    size_t n = left_a < left_b ? left_a : left_b;
    if (n == 0)
      return left_a == left_b;
    if (memcmp(run_a, run_b, n) != 0)
      return false;
    run_a += n, run_b += n;
    left_a -= n, left_b -= n;
  }
}

static bool has_escape(struct span raw) {
  return raw.len && memchr(raw.ptr, '\\', raw.len);
}

bool json_value_text_equal(struct span a, struct span b) {
  if (!has_escape(a) && !has_escape(b))
    return span_equal(a, b);
  return a.len && b.len && equal_decoded(a, b);
}

bool json_value_is_named(const struct json_member *member, const char *name) {
  struct span plain = {name, strlen(name)};

  if (member->name.len <= plain.len) /* with escapes it would be longer than what it stands for */
    return span_equal(member->name, plain);
  return has_escape(member->name) && equal_decoded(member->name, plain);
}

/* Numbers. */

/* A number text taken apart: digits * 10^exponent, while the digits fit. */
struct decimal_text {
  uint64_t digits;
  int exponent;
  bool negative, fits;
};

static struct decimal_text take_apart(struct span raw) {
  struct decimal_text number = {.fits = true};
  const char *at = raw.ptr, *end = at + raw.len;
  const uint64_t room_for_one_more = UINT64_C(1000000000000000000); /* 19 digits fit */
  int fraction = 0;
  bool in_fraction = false;

  if (*at == '-') {
    number.negative = true;
    at++;
  }
  for (; at < end && (*at | 0x20) != 'e'; at++) {
    if (*at == '.') {
      in_fraction = true;
      continue;
    }
    if (number.digits >= room_for_one_more) {
      number.fits = false;
      return number;
    }
    number.digits = number.digits * 10 + (uint64_t)(*at - '0');
    fraction += in_fraction;
  }
  if (at < end) {
    int exponent = 0;
    bool minus = *++at == '-';

    for (at += *at == '-' || *at == '+'; at < end && exponent < 100000; at++)
      exponent = exponent * 10 + (*at - '0');
    number.exponent = minus ? -exponent : exponent;
  }
  number.exponent -= fraction;
  return number;
}

static double number_by_library(struct span raw) {
  char text[JSON_NUMBER_MAX + 1];
  int saved_errno = errno;

  /* For "C" in all categories this is a constant of the C library: nothing is allocated, nothing
   * can fail. */
  locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  size_t len = raw.len < sizeof text ? raw.len : sizeof text - 1;
  memcpy(text, raw.ptr, len);
  text[len] = '\0';
  double value = strtod_l(text, NULL, c_locale);
  freelocale(c_locale);
  errno = saved_errno;
  return value;
}

double json_value_number(struct json_value value) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  char last = value.raw.ptr[value.raw.len - 1];

  if (last == 'y')
    return value.raw.ptr[0] == '-' ? -INFINITY : INFINITY;
  if (last == 'N')
    return NAN;
  struct decimal_text number = take_apart(value.raw);
  /* Both factors are exact doubles, so one operation rounds once: the nearest double (Clinger). */
  if (number.fits && number.digits <= UINT64_C(1) << 53 && number.exponent >= -22 &&
      number.exponent <= 22) {
    double digits = (double)number.digits;
    double result =
        number.exponent < 0 ? digits / powers[-number.exponent] : digits * powers[number.exponent];
    return number.negative ? -result : result;
  }
  double nearest;
  if (number.fits && decimal_nearest(number.digits, number.exponent, &nearest))
    return number.negative ? -nearest : nearest;
  return number_by_library(value.raw);
}

int json_value_integer(struct json_value value, int64_t *out) {
  const char *at = value.raw.ptr, *end = at + value.raw.len;
  bool negative = value.type == JSON_NUMBER && *at == '-';
  uint64_t digits = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;

  if (value.type != JSON_NUMBER)
    return 0;
  for (at += negative; at < end; at++) {
    unsigned digit = (unsigned char)*at - (unsigned)'0';

    if (digit > 9 || digits > (limit - digit) / 10)
      return 0;
    digits = digits * 10 + digit;
  }
  *out = negative ? (int64_t)(0 - digits) : (int64_t)digits;
  return 1;
}

/* Compact text. */

/* at: after the opening quote. Answers the place after the closing one; *run: from where on
 * nothing is appended yet. */
static const char *compact_string(const char *at, const char *end, const char **run,
                                  struct buffer *out) {
  while ((at = json_plain_end(at, end)) < end) {
    unsigned code_point;
    size_t n = json_line_breaker(at, end, &code_point);

    if (n > 0) {
      buffer_append(out, *run, (size_t)(at - *run));
      json_writer_escape(out, code_point);
      *run = at += n;
    } else if (*at == '"') {
      return at + 1;
    } else {
      at += *at == '\\' ? 2 : 1;
    }
  }
  return at;
}

void json_value_compact(struct json_value value, struct buffer *out) {
  const char *at = value.raw.ptr, *end = at + value.raw.len, *run = at;

  while (at < end) {
    char byte = *at;

    if (byte == '"') {
      at = compact_string(at + 1, end, &run, out);
    } else if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') {
      buffer_append(out, run, (size_t)(at - run));
      run = ++at;
    } else {
      at++;
    }
  }
  buffer_append(out, run, (size_t)(at - run));
}
