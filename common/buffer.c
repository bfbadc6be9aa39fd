/* buffer.c - a growable run of bytes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

void buffer_fini(struct buffer *buffer) {
  free(buffer->data);
  *buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer) {
  buffer->len = 0;
  buffer->failed = false;
}

static bool grow(struct buffer *buffer, size_t more) {
  if (more > SIZE_MAX / 4 - buffer->len)
    return false;
  size_t cap = buffer->cap ? buffer->cap : FIRST_CAPACITY;
  while (cap < buffer->len + more)
    cap *= 2;
  char *data = realloc(buffer->data, cap);
  if (!data)
    return false;
  buffer->data = data;
  buffer->cap = cap;
  return true;
}

char *buffer_reserve(struct buffer *buffer, size_t more) {
  if (buffer->failed)
    return NULL;
  if ((!buffer->data || more > buffer->cap - buffer->len) && !grow(buffer, more)) {
    buffer->failed = true;
    return NULL;
  }
  return buffer->data + buffer->len;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t len) {
  char *room = len ? buffer_reserve(buffer, len) : NULL;

  if (room) {
    memcpy(room, bytes, len);
    buffer->len += len;
  }
}

void buffer_append_text(struct buffer *buffer, const char *text) {
  buffer_append(buffer, text, strlen(text));
}

void buffer_append_byte(struct buffer *buffer, char byte) {
  char *room = buffer_reserve(buffer, 1);

  if (room) {
    *room = byte;
    buffer->len++;
  }
}
