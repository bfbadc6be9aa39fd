/* utf8_text.h - text that goes to a terminal or into a document, whatever bytes it came from.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_UTF8_TEXT_H
#define KAIZEN_HOST_UTF8_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Length of the valid UTF-8 character at `text`, or 0. */
size_t utf8_text_character(const char *text);
/* A copy with U+FFFD for each byte that is not UTF-8; NULL without memory. */
char *utf8_text_valid(const char *text);
/* Prints with '?' for control characters and invalid bytes: a name from a file must not drive
 * the terminal. */
void utf8_text_print(FILE *out, const char *text);
/* The same of a formatted text, on standard output. */
void utf8_text_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* JSON text, with escapes for the same characters in its strings. */
void utf8_text_print_json(FILE *out, const char *json, size_t len);
/* Bytes of the first so many characters. */
size_t utf8_text_bytes(const char *text, size_t characters);
/* Columns that the printed text takes on a terminal: two for a wide character, none for one that
 * joins the character before it. */
size_t utf8_text_columns(const char *text);

#endif
