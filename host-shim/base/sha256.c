/* sha256.c - SHA-256 of a file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotated(uint32_t word, unsigned by) {
  return word >> by | word << (32 - by);
}

static void add_block(uint32_t state[8], const uint8_t block[SHA256_BLOCK]) {
  uint32_t w[64], s[8];

  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
           (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];

    w[i] = w[i - 16] + (rotated(a, 7) ^ rotated(a, 18) ^ a >> 3) + w[i - 7] +
           (rotated(b, 17) ^ rotated(b, 19) ^ b >> 10);
  }
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; i++) {
    uint32_t e = s[4], a = s[0];
    uint32_t t1 = s[7] + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) +
                  ((e & s[5]) ^ (~e & s[6])) + round_constants[i] + w[i];
    uint32_t t2 = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) +
                  ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++)
    state[i] += s[i];
}

void sha256_start(struct sha256 *sha) {
  static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

  memcpy(sha->state, start, sizeof start);
  sha->len = 0;
}

void sha256_add(struct sha256 *sha, const void *bytes, size_t len) {
  const uint8_t *at = bytes;

  while (len > 0) {
    size_t used = sha->len % SHA256_BLOCK, n = SHA256_BLOCK - used;

    if (n > len)
      n = len;
    memcpy(sha->block + used, at, n);
    sha->len += n;
    at += n;
    len -= n;
    if (sha->len % SHA256_BLOCK == 0)
      add_block(sha->state, sha->block);
  }
}

void sha256_finish(struct sha256 *sha, char out[SHA256_TEXT_SIZE]) {
  static const char digits[] = "0123456789abcdef";
  uint64_t bits = sha->len * 8;
  uint8_t big_endian[8];

  sha256_add(sha, "\x80", 1);
  while (sha->len % SHA256_BLOCK != SHA256_BLOCK - sizeof big_endian)
    sha256_add(sha, "", 1);
  for (int i = 0; i < 8; i++)
    big_endian[i] = (uint8_t)(bits >> (56 - 8 * i));
  sha256_add(sha, big_endian, sizeof big_endian);
  for (int i = 0; i < SHA256_TEXT_SIZE - 1; i++)
    out[i] = digits[sha->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
  out[SHA256_TEXT_SIZE - 1] = '\0';
}

int sha256_file(const char *file, char out[SHA256_TEXT_SIZE], struct problem *problem) {
  struct sha256 sha;
  struct stat entry;
  char piece[65536];
  int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  ssize_t got = -1;

  if (fd >= 0 && fstat(fd, &entry) == 0 && !S_ISREG(entry.st_mode))
    errno = EINVAL;
  else if (fd >= 0) {
    sha256_start(&sha);
    while ((got = read(fd, piece, sizeof piece)) > 0)
      sha256_add(&sha, piece, (size_t)got);
  }
  int os_error = errno;
  if (fd >= 0)
    (void)close(fd);
  if (got < 0)
    return problem_set(problem, EXIT_CODE_FAILED, "%s: cannot read: %s", file, strerror(os_error));
  sha256_finish(&sha, out);
  return 0;
}
