/* json_bytes.h - what the JSON reader and writer both look for in the bytes of a string.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Inside common/ only. */
#ifndef KAIZEN_COMMON_JSON_BYTES_H
#define KAIZEN_COMMON_JSON_BYTES_H

#include <stdint.h>
#include <string.h>

#include "common/buffer.h"

static inline int json_byte_is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

/* First byte from `at` that is a quote, a backslash, a control character, DEL or not ASCII; else
 * `end`. Strings are most of a record, so eight bytes are looked at in one step. Each term flags a
 * byte's top bit exactly up to the first byte it finds (borrows only reach later ones), and only
 * the first is used. */
static inline const char *json_plain_end(const char *at, const char *end) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
  while ((size_t)(end - at) >= sizeof(uint64_t)) {
    uint64_t word;

    memcpy(&word, at, sizeof word);
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\', del = word ^ ones * 0x7F;
    uint64_t found = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                     ((del - ones) & ~del) | ((word - ones * 0x20) & ~word) | word;
    if (found & tops)
      return at + __builtin_ctzll(found & tops) / 8;
    at += sizeof word;
  }
#endif
  while (at < end && json_byte_is_plain((unsigned char)*at))
    at++;
  return at;
}

/* Length of the character at `at` when it is legal in JSON but ends a line for Python's
 * splitlines() or hides in a terminal (DEL, U+0085, U+2028, U+2029), *code_point filled; else 0. */
static inline size_t json_line_breaker(const char *at, const char *end, unsigned *code_point) {
  size_t left = (size_t)(end - at);
  unsigned char first = (unsigned char)at[0];

  if (first == 0x7F) {
    *code_point = 0x7F;
    return 1;
  }
  if (first == 0xC2 && left >= 2 && (unsigned char)at[1] == 0x85) {
    *code_point = 0x85;
    return 2;
  }
  if (first == 0xE2 && left >= 3 && (unsigned char)at[1] == 0x80 &&
      ((unsigned char)at[2] & 0xFE) == 0xA8) {
    *code_point = 0x2000u | ((unsigned char)at[2] & 0x3Fu);
    return 3;
  }
  return 0;
}

#endif
