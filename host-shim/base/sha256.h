/* sha256.h - SHA-256 of a file, as FIPS 180-4 defines it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * For digests that another program checks again: no library is needed for that alone. */
#ifndef KAIZEN_HOST_SHA256_H
#define KAIZEN_HOST_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/problem.h"

enum { SHA256_BLOCK = 64, SHA256_TEXT_SIZE = 65 };

struct sha256 {
  uint32_t state[8];
  uint64_t len; /* bytes so far */
  uint8_t block[SHA256_BLOCK];
};

void sha256_start(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *bytes, size_t len);
/* Lower-case digits, NUL-terminated. */
void sha256_finish(struct sha256 *sha, char out[SHA256_TEXT_SIZE]);
/* Of a regular file.  -1: EXIT_CODE_FAILED. */
int sha256_file(const char *file, char out[SHA256_TEXT_SIZE], struct problem *problem);

#endif
