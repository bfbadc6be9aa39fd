/* uuid.c - UUIDs: random, and from names.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"

#include <errno.h>
#include <string.h>
#include <uuid/uuid.h>

#include "base/os_process.h"
#include "common/buffer.h"

static bool is_hyphen_place(int i) {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uuid_is_text(struct span text) {
  if (text.len != UUID_TEXT_SIZE - 1)
    return false;
  for (int i = 0; i < UUID_TEXT_SIZE - 1; i++)
    if (is_hyphen_place(i) ? text.ptr[i] != '-' : hex_digit(text.ptr[i]) < 0)
      return false;
  return true;
}

void uuid_pack(const char *text, unsigned char out[16]) {
  for (int i = 0, byte = 0; byte < 16; i += 2, byte++) {
    i += is_hyphen_place(i);
    out[byte] = (unsigned char)(hex_digit(text[i]) << 4 | hex_digit(text[i + 1]));
  }
}

void uuid_unpack(const unsigned char bytes[16], char out[UUID_TEXT_SIZE]) {
  static const char hex[] = "0123456789abcdef";

  for (int byte = 0; byte < 16; byte++) {
    if (byte == 4 || byte == 6 || byte == 8 || byte == 10)
      *out++ = '-';
    *out++ = hex[bytes[byte] >> 4];
    *out++ = hex[bytes[byte] & 15];
  }
  *out = '\0';
}

/* libuuid's own generator costs seven times as much; it serves where the system gives no random
 * bytes. */
void uuid_random(char out[UUID_TEXT_SIZE]) {
  unsigned char bytes[16];
  int saved_errno = errno;

  if (os_process_random(bytes, sizeof bytes) != 0)
    uuid_generate_random(bytes);
  errno = saved_errno;
  bytes[6] = (unsigned char)((bytes[6] & 0x0F) | 0x40); /* version 4 */
  bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80); /* the RFC's variant */
  uuid_unpack(bytes, out);
}

void uuid_from_name(const char *name_space, struct span name, char out[UUID_TEXT_SIZE]) {
  unsigned char base[16], bytes[16];

  uuid_pack(name_space, base);
  uuid_generate_sha1(bytes, base, name.ptr, name.len);
  uuid_unpack(bytes, out);
}
