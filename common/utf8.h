/* utf8.h - UTF-8 as RFC 3629 defines it.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * No overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef KAIZEN_COMMON_UTF8_H
#define KAIZEN_COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

bool utf8_valid(struct span text);
size_t utf8_encode(uint32_t code_point, char out[4]); /* number of bytes */
/* Largest n <= max such that the first n bytes do not end inside a character; `text` is valid. */
size_t utf8_cut(struct span text, size_t max);
/* Bytes of the well-formed character at `at` (1-4), 0 when there is none before `end`. */
size_t utf8_sequence(const char *at, const char *end);

/* Any bytes, made fit for a message: control characters, line separators and what is not UTF-8
 * become \xNN, and the text is cut to UTF8_SHOWN_MAX bytes with "..." at the end. Answers `out`. */
enum { UTF8_SHOWN_MAX = 60, UTF8_SHOWN_SIZE = UTF8_SHOWN_MAX + 4 };
const char *utf8_show(struct span text, char out[UTF8_SHOWN_SIZE]);

#endif
