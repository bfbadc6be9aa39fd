/* hash.c - 64-bit hash of bytes: eight at a time, folded through a 128-bit product.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The files that hold these values are derived and rebuilt when their version differs, so the
 * function may change with the version number of those files. */
#include "base/hash.h"

#include <string.h>

#define MULTIPLIER_A UINT64_C(0x9e3779b97f4a7c15)
#define MULTIPLIER_B UINT64_C(0xd6e8feb86659fd93)

static uint64_t mix(uint64_t a, uint64_t b) {
  __extension__ typedef unsigned __int128 wide;
  wide product = (wide)a * b;

  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed) {
  const unsigned char *at = bytes;
  uint64_t hash = mix(seed ^ MULTIPLIER_A, (uint64_t)len ^ MULTIPLIER_B);
  size_t left = len;
  uint64_t word;

  for (; left >= 8; at += 8, left -= 8) {
    memcpy(&word, at, 8);
    hash = mix(hash ^ word ^ MULTIPLIER_B, MULTIPLIER_A);
  }
  word = 0;
  if (left > 0)
    memcpy(&word, at, left);
  return mix(hash ^ word, MULTIPLIER_B) ^ hash;
}
