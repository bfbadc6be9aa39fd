/* buffer.h - a growable run of bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Failure to allocate is sticky: later appends do nothing, and the one check is `buffer->failed`
 * at the end. A zeroed struct is an empty buffer. */
#ifndef KAIZEN_COMMON_BUFFER_H
#define KAIZEN_COMMON_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

struct buffer {
  char *data;
  size_t len, cap;
  bool failed;
};

void buffer_fini(struct buffer *buffer);                  /* frees; the struct is empty again */
void buffer_clear(struct buffer *buffer);                 /* len = 0, failed = false, memory kept */
char *buffer_reserve(struct buffer *buffer, size_t more); /* room for `more` after len, or NULL */
void buffer_append(struct buffer *buffer, const void *bytes, size_t len);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_byte(struct buffer *buffer, char byte);

static inline struct span buffer_span(const struct buffer *buffer) {
  return (struct span){buffer->data, buffer->len};
}

#endif
