/* error.c - the text of a failure, cut so that it is never half a character.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* After a cut: drops a last character whose bytes did not all fit. */
static void drop_partial_character(char *text) {
  size_t len = strlen(text), lead = len;

  while (lead > 0 && len - lead < 3 && ((unsigned char)text[lead - 1] & 0xC0) == 0x80)
    lead--;
  if (lead == 0)
    return;
  unsigned char first = (unsigned char)text[lead - 1];
  size_t need = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
  if (len - (lead - 1) < need)
    text[lead - 1] = '\0';
}

static void append(char *text, const char *more) {
  size_t len = strlen(text);

  if ((size_t)snprintf(text + len, ERROR_TEXT_MAX - len, "%s", more) >= ERROR_TEXT_MAX - len)
    drop_partial_character(text);
}

static void format_text(char *text, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static void format_text(char *text, const char *format, va_list arguments) {
  int len = vsnprintf(text, ERROR_TEXT_MAX, format, arguments);

  if (len < 0)
    text[0] = '\0';
  else if (len >= ERROR_TEXT_MAX)
    drop_partial_character(text);
}

int error_set_va(struct error *error, int32_t code, const char *format, va_list arguments) {
  error->code = code;
  error->os_error = 0;
  format_text(error->text, format, arguments);
  return -1;
}

int error_set(struct error *error, int32_t code, const char *format, ...) {
  if (error) {
    va_list arguments;
    va_start(arguments, format);
    (void)error_set_va(error, code, format, arguments);
    va_end(arguments);
  }
  return -1;
}

int error_set_errno(struct error *error, int32_t code, int os_error, const char *format, ...) {
  if (error) {
    va_list arguments;
    char number[32];

    /* Not strerror_r(): its language follows the host's locale, and reading a catalogue
     * allocates. */
    const char *description = strerrordesc_np(os_error);
    error->code = code;
    error->os_error = os_error;
    va_start(arguments, format);
    format_text(error->text, format, arguments);
    va_end(arguments);
    if (!description) {
      snprintf(number, sizeof number, "error %d", os_error);
      description = number;
    }
    append(error->text, ": ");
    append(error->text, description);
  }
  return -1;
}

void error_prefix(struct error *error, const char *format, ...) {
  if (!error)
    return;
  char rest[ERROR_TEXT_MAX];
  va_list arguments;
  memcpy(rest, error->text, sizeof rest);
  va_start(arguments, format);
  format_text(error->text, format, arguments);
  va_end(arguments);
  append(error->text, ": ");
  append(error->text, rest);
}
