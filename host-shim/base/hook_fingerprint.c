/* hook_fingerprint.c - a keyed 64-bit hash of a text, for comparing texts that are never stored.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hook_fingerprint.h"

struct sip { /* the four words of SipHash's state */
  uint64_t a, b, c, d;
};

static uint64_t rotated(uint64_t value, unsigned bits) {
  return value << bits | value >> (64 - bits);
}

static uint64_t little_endian(const uint8_t *bytes, size_t len) {
  uint64_t value = 0;

  for (size_t i = 0; i < len; i++)
    value |= (uint64_t)bytes[i] << (8 * i);
  return value;
}

static void rounds(struct sip *sip, unsigned count) {
  while (count-- > 0) {
    sip->a += sip->b;
    sip->b = rotated(sip->b, 13) ^ sip->a;
    sip->a = rotated(sip->a, 32);
    sip->c += sip->d;
    sip->d = rotated(sip->d, 16) ^ sip->c;
    sip->a += sip->d;
    sip->d = rotated(sip->d, 21) ^ sip->a;
    sip->c += sip->b;
    sip->b = rotated(sip->b, 17) ^ sip->c;
    sip->c = rotated(sip->c, 32);
  }
}

static void take_word(struct sip *sip, uint64_t word) {
  sip->d ^= word;
  rounds(sip, 2);
  sip->a ^= word;
}

uint64_t hook_fingerprint(const uint8_t key[HOOK_FINGERPRINT_KEY_BYTES], const void *data,
                          size_t len) {
  const uint8_t *bytes = data;
  uint64_t low = little_endian(key, 8), high = little_endian(key + 8, 8);
  struct sip sip = {
      .a = low ^ UINT64_C(0x736f6d6570736575),
      .b = high ^ UINT64_C(0x646f72616e646f6d),
      .c = low ^ UINT64_C(0x6c7967656e657261),
      .d = high ^ UINT64_C(0x7465646279746573),
  };
  size_t whole = len - len % 8;
  for (size_t i = 0; i < whole; i += 8)
    take_word(&sip, little_endian(bytes + i, 8));
  take_word(&sip, (uint64_t)(len & 0xff) << 56 | little_endian(bytes + whole, len % 8));
  sip.c ^= 0xff;
  rounds(&sip, 4);
  uint64_t result = sip.a ^ sip.b ^ sip.c ^ sip.d;
  return result != 0 ? result : 1;
}
