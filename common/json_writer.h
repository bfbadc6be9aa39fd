/* json_writer.h - appends JSON tokens to a buffer.  Pure, independent of locale.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_COMMON_JSON_WRITER_H
#define KAIZEN_COMMON_JSON_WRITER_H

#include "common/buffer.h"

enum { JSON_WRITER_DOUBLE_SIZE = 32 }; /* of any double as text, with its NUL */

/* A quoted string. `text` is valid UTF-8 (utf8_valid); escaped are " \ U+0000-U+001F, U+007F,
 * U+0085, U+2028 and U+2029 (docs/format.md: Python's splitlines() breaks a line at the last
 * three). */
void json_writer_string(struct buffer *out, struct span text);
/* \uXXXX, of a code point up to U+FFFF. */
void json_writer_escape(struct buffer *out, unsigned code_point);
/* Shortest text that reads back equal, ".0" when integral, exponent below 1e-4 and from 1e16: as
 * Python's repr(). So that no line is ever unreadable, an infinity is written as the largest double
 * and NaN as 0.0: callers that may have one check first. */
void json_writer_double(struct buffer *out, double value);
/* The same as text; answers its length. */
size_t json_writer_format_double(double value, char out[JSON_WRITER_DOUBLE_SIZE]);
void json_writer_integer(struct buffer *out, int64_t value);

#endif
