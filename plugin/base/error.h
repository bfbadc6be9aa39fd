/* error.h - the one way a function of the plugin says why it failed.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Convention: functions answer 0, -1 with *error filled, or > 0 for a documented condition. The
 * first failure writes the text; each boundary it crosses may prefix its own context once. The
 * caller owns the struct. `code` is a number of the layer that made the error; those of this layer
 * are below, and the layers above may add their own. */
#ifndef KAIZEN_BASE_ERROR_H
#define KAIZEN_BASE_ERROR_H

#include <stdarg.h>
#include <stdint.h>

#define ERROR_TEXT_MAX 256

/* The same numbers as the plugin's result codes, so that the edge only has to return them;
 * edge/plugin.c checks that they are equal. */
enum error_code { ERROR_BUSY = -64, ERROR_NO_MEMORY = -65, ERROR_IO = -66 };

struct error {
  int32_t code;
  int os_error;              /* errno when a system call failed, else 0 */
  char text[ERROR_TEXT_MAX]; /* NUL-terminated UTF-8, cut between characters */
};

/* Fills *error; always answers -1, so that `return error_set(...)` reads well. `error` may be
 * NULL. */
int error_set(struct error *error, int32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with the arguments of a caller that has a format of its own. */
int error_set_va(struct error *error, int32_t code, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
/* The same for a failed system call: appends ": <description of os_error>". */
int error_set_errno(struct error *error, int32_t code, int os_error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts "<context>: " before the text that is there. */
void error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
