/* utf8_text.c - text that goes to a terminal or into a document, whatever bytes it came from.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8_text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "common/utf8.h"

size_t utf8_text_character(const char *text) {
  return *text != '\0' ? utf8_sequence(text, text + strnlen(text, 4)) : 0;
}

/* C0, DEL and C1 (U+0080-U+009F) characters move cursors and set colours; U+202A-U+202E and
 * U+2066-U+2069 turn the rest of the line around. */
static bool is_control(const char *text, size_t len) {
  const unsigned char *at = (const unsigned char *)text;

  if (len == 1)
    return at[0] < 0x20 || at[0] == 0x7F;
  if (len == 2)
    return at[0] == 0xC2 && at[1] < 0xA0;
  return len == 3 && at[0] == 0xE2 &&
         ((at[1] == 0x80 && at[2] >= 0xAA && at[2] <= 0xAE) ||
          (at[1] == 0x81 && at[2] >= 0xA6 && at[2] <= 0xA9));
}

static wchar_t code_of(const char *text, size_t len) {
  static const unsigned char lead[] = {0x7F, 0x7F, 0x1F, 0x0F, 0x07};
  wchar_t code = (unsigned char)text[0] & lead[len];

  for (size_t i = 1; i < len; i++)
    code = code << 6 | ((unsigned char)text[i] & 0x3F);
  return code;
}

char *utf8_text_valid(const char *text) {
  char *copy = malloc(strlen(text) * 3 + 1);
  char *at = copy;

  if (!copy)
    return NULL;
  while (*text != '\0') {
    size_t len = utf8_text_character(text);

    memcpy(at, len > 0 ? text : "\xEF\xBF\xBD", len > 0 ? len : 3);
    at += len > 0 ? len : 3;
    text += len > 0 ? len : 1;
  }
  *at = '\0';
  return copy;
}

void utf8_text_print(FILE *out, const char *text) {
  while (*text != '\0') {
    size_t len = utf8_text_character(text);

    if (len == 0 || is_control(text, len))
      putc('?', out);
    else
      fwrite(text, 1, len, out);
    text += len > 0 ? len : 1;
  }
}

void utf8_text_printf(const char *format, ...) {
  va_list arguments;
  char *text = NULL;

  va_start(arguments, format);
  if (vasprintf(&text, format, arguments) < 0)
    text = NULL;
  va_end(arguments);
  utf8_text_print(stdout, text ? text : "(no memory)");
  free(text);
}

void utf8_text_print_json(FILE *out, const char *json, size_t len) {
  size_t written = 0;

  for (size_t at = 0; at < len;) {
    unsigned char byte = (unsigned char)json[at];
    size_t width = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    bool is_whole = byte >= 0x7F && at + width <= len; /* C0 is white space between values */

    if (is_whole && is_control(json + at, width)) {
      fwrite(json + written, 1, at - written, out);
      fprintf(out, "\\u%04x", (unsigned)code_of(json + at, width));
      written = at + width;
    }
    at += width;
  }
  fwrite(json + written, 1, len - written, out);
}

size_t utf8_text_bytes(const char *text, size_t characters) {
  size_t bytes = 0;

  for (; characters > 0 && text[bytes] != '\0'; characters--) {
    size_t len = utf8_text_character(text + bytes);

    bytes += len > 0 ? len : 1;
  }
  return bytes;
}

/* Of a character that is printed as it is.  A locale that is not UTF-8 knows no widths. */
static size_t columns_of(const char *text, size_t len) {
  int columns = wcwidth(code_of(text, len));

  return columns < 0 ? 1 : (size_t)columns;
}

size_t utf8_text_columns(const char *text) {
  size_t columns = 0;

  while (*text != '\0') {
    size_t len = utf8_text_character(text);

    columns += len == 0 || is_control(text, len) ? 1 : columns_of(text, len);
    text += len > 0 ? len : 1;
  }
  return columns;
}
