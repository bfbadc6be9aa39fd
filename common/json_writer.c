/* json_writer.c - appends JSON tokens to a buffer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common/json_writer.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "common/decimal.h"
#include "common/json_bytes.h"

void json_writer_escape(struct buffer *out, unsigned code_point) {
  static const char hex[] = "0123456789abcdef";
  char text[6] = {'\\', 'u'};

  for (int i = 0; i < 4; i++)
    text[2 + i] = hex[code_point >> (12 - 4 * i) & 15];
  buffer_append(out, text, sizeof text);
}

/* at: not plain.  Appends it, escaped where it must be; answers its length. */
static size_t append_special(struct buffer *out, const char *at, const char *end) {
  static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
  unsigned code_point;
  size_t n = json_line_breaker(at, end, &code_point);

  if (n > 0) {
    json_writer_escape(out, code_point);
    return n;
  }
  const char *found = *at ? strchr(from, *at) : NULL;
  if (found)
    buffer_append(out, (char[]){'\\', to[found - from]}, 2);
  else if ((unsigned char)*at < 0x20)
    json_writer_escape(out, (unsigned char)*at);
  else
    buffer_append_byte(out, *at);
  return 1;
}

void json_writer_string(struct buffer *out, struct span text) {
  const char *at = text.ptr, *end = text.len ? at + text.len : at;

  buffer_append_byte(out, '"');
  while (at < end) {
    const char *stop = json_plain_end(at, end);

    buffer_append(out, at, (size_t)(stop - at));
    at = stop;
    if (at < end)
      at += append_special(out, at, end);
  }
  buffer_append_byte(out, '"');
}

/* Decimal digits, from the end of a buffer backwards. */
static char *digits_before(char *end, uint64_t number) {
  do {
    *--end = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return end;
}

void json_writer_integer(struct buffer *out, int64_t value) {
  char text[20], *end = text + sizeof text;
  char *at = digits_before(end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);

  if (value < 0)
    *--at = '-';
  buffer_append(out, at, (size_t)(end - at));
}

/* d.ddde-XX; the exponent has a sign and at least two digits. */
static size_t put_scientific(char *out, const char *digits, size_t count, int exponent) {
  char number[4], *end = number + sizeof number;
  size_t len = 0;

  out[len++] = digits[0];
  if (count > 1) {
    out[len++] = '.';
    memcpy(out + len, digits + 1, count - 1);
    len += count - 1;
  }
  out[len++] = 'e';
  out[len++] = exponent < 0 ? '-' : '+';
  char *at = digits_before(end, (uint64_t)(exponent < 0 ? -exponent : exponent));
  if (end - at < 2)
    *--at = '0';
  memcpy(out + len, at, (size_t)(end - at));
  return len + (size_t)(end - at);
}

/* point: digits before the decimal point, -3..16; <= 0: zeros after it. */
static size_t put_plain(char *out, const char *digits, size_t count, int point) {
  size_t len = 0;

  if (point <= 0) {
    memcpy(out, "0.0000", 2 + (size_t)-point);
    len = 2 + (size_t)-point;
    memcpy(out + len, digits, count);
    return len + count;
  }
  size_t whole = (size_t)point;
  if (count <= whole) {
    memcpy(out, digits, count);
    memset(out + count, '0', whole - count);
    memcpy(out + whole, ".0", 2);
    return whole + 2;
  }
  memcpy(out, digits, whole);
  out[whole] = '.';
  memcpy(out + whole + 1, digits + whole, count - whole);
  return count + 1;
}

size_t json_writer_format_double(double value, char out[JSON_WRITER_DOUBLE_SIZE]) {
  char digits[20], *digits_end = digits + sizeof digits;

  if (!isfinite(value))
    value = isnan(value) ? 0.0 : copysign(DBL_MAX, value);
  struct decimal number = decimal_shortest(value);
  const char *first = digits_before(digits_end, number.digits);
  size_t count = (size_t)(digits_end - first), len = 0;
  int point = number.digits ? (int)count + number.exponent : 1;
  if (signbit(value))
    out[len++] = '-';
  if (point > -4 && point <= 16)
    len += put_plain(out + len, first, count, point);
  else
    len += put_scientific(out + len, first, count, point - 1);
  out[len] = '\0';
  return len;
}

void json_writer_double(struct buffer *out, double value) {
  char text[JSON_WRITER_DOUBLE_SIZE];

  buffer_append(out, text, json_writer_format_double(value, text));
}
