/* utf8.c - UTF-8: check, encode, cut, show.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common/utf8.h"

#include <string.h>

static bool continues(const char *at) {
  return ((unsigned char)*at & 0xC0) == 0x80;
}

size_t utf8_sequence(const char *at, const char *end) {
  if (at >= end)
    return 0;
  unsigned char first = (unsigned char)at[0];
  if (first < 0x80)
    return 1;
  if (first < 0xC2 || end - at < 2)
    return 0;
  if (first < 0xE0)
    return continues(at + 1) ? 2 : 0;
  /* The second byte is enough to find overlong forms, surrogates and anything above U+10FFFF. */
  unsigned char second = (unsigned char)at[1];
  unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (first > 0xF4 || second < low || second > high || end - at < 3 || !continues(at + 2))
    return 0;
  if (first < 0xF0)
    return 3;
  return end - at >= 4 && continues(at + 3) ? 4 : 0;
}

bool utf8_valid(struct span text) {
  const char *at = text.ptr, *end = text.len ? at + text.len : at;

  while (at < end) {
    uint64_t word;

    if ((size_t)(end - at) >= sizeof word) {
      memcpy(&word, at, sizeof word);
      if (!(word & UINT64_C(0x8080808080808080))) {
        at += sizeof word;
        continue;
      }
    }
    size_t n = utf8_sequence(at, end);
    if (n == 0)
      return false;
    at += n;
  }
  return true;
}

size_t utf8_encode(uint32_t code_point, char out[4]) {
  if (code_point < 0x80) {
    out[0] = (char)code_point;
    return 1;
  }
  size_t n = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
  for (size_t i = n - 1; i > 0; i--, code_point >>= 6)
    out[i] = (char)(0x80 | (code_point & 0x3F));
  out[0] = (char)((0xF00u >> n & 0xF0u) | code_point);
  return n;
}

size_t utf8_cut(struct span text, size_t max) {
  if (text.len <= max)
    return text.len;
  while (max > 0 && continues(text.ptr + max))
    max--;
  return max;
}

/* Control characters of ASCII and Latin-1, and the two separators that end a line for some
 * readers. */
static bool printable(const char *at, size_t n) {
  unsigned char first = (unsigned char)at[0], second = n > 1 ? (unsigned char)at[1] : 0;

  if (n == 1)
    return first >= 0x20 && first != 0x7F;
  if (n == 2)
    return first != 0xC2 || second >= 0xA0;
  unsigned char third = (unsigned char)at[2];
  return !(n == 3 && first == 0xE2 && second == 0x80 && (third == 0xA8 || third == 0xA9));
}

const char *utf8_show(struct span text, char out[UTF8_SHOWN_SIZE]) {
  static const char hex[] = "0123456789abcdef";
  const char *at = text.ptr, *end = text.len ? at + text.len : at;
  size_t len = 0;

  while (at < end) {
    size_t n = utf8_sequence(at, end);
    bool as_is = n > 0 && printable(at, n);

    if (len + (as_is ? n : 4) > UTF8_SHOWN_MAX) {
      memcpy(out + len, "...", 3);
      len += 3;
      break;
    }
    if (as_is) {
      memcpy(out + len, at, n);
      len += n;
      at += n;
    } else {
      unsigned char byte = (unsigned char)*at++;

      out[len++] = '\\';
      out[len++] = 'x';
      out[len++] = hex[byte >> 4];
      out[len++] = hex[byte & 15];
    }
  }
  out[len] = '\0';
  return out;
}
