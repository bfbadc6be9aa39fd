/* output.c - what the user sees: data on standard output, everything else on standard error.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/output.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/utf8_text.h"

/* A process has one standard output: this is the only global state of the program. */
static struct {
  enum output_verbosity verbosity;
  bool json, utf8, colour, animated, progress_shown;
  char last_message[PROBLEM_TEXT_MAX + 256];

} output;

static bool terminal_is_capable(void) {
  const char *term = getenv("TERM");

  return term && *term != '\0' && strcmp(term, "dumb") != 0;
}

void output_init(void) {
  const char *no_color = getenv("NO_COLOR");

  setvbuf(stderr, NULL, _IOLBF,
          BUFSIZ);         /* a message is one write, whatever else is written there */
  setlocale(LC_CTYPE, ""); /* only that category: numbers are printed the same everywhere */
  output.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
  output.colour =
      isatty(STDOUT_FILENO) && terminal_is_capable() && (!no_color || *no_color == '\0');
  output.animated = isatty(STDERR_FILENO) && terminal_is_capable();
}

void output_configure(bool json, enum output_verbosity verbosity) {
  output.json = json;
  output.verbosity = verbosity;
  output.animated = output.animated && verbosity != OUTPUT_QUIET;
}

bool output_is_json(void) {
  return output.json;
}
bool output_is_quiet(void) {
  return output.verbosity == OUTPUT_QUIET;
}
bool output_is_verbose(void) {
  return output.verbosity == OUTPUT_VERBOSE;
}
bool output_is_utf8(void) {
  return output.utf8;
}
bool output_is_animated(void) {
  return output.animated;
}

static void message(const char *kind, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void message(const char *kind, const char *format, va_list arguments) {
  char text[sizeof output.last_message]; /* the arguments may be the last message */
  int saved_errno = errno;

  output_progress_end();
  vsnprintf(text, sizeof text, format, arguments);
  memcpy(output.last_message, text, sizeof text);
  fprintf(stderr, "kaizen-host: %s", kind);
  utf8_text_print(stderr, text);
  putc('\n', stderr);
  errno = saved_errno;
}

void output_error(const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  message("", format, arguments);
  va_end(arguments);
}

void output_warning(const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  message("warning: ", format, arguments);
  va_end(arguments);
}

void output_note(const char *format, ...) {
  va_list arguments;

  if (output_is_quiet())
    return;
  va_start(arguments, format);
  message("", format, arguments);
  va_end(arguments);
}

void output_progress(const char *format, ...) {
  va_list arguments;

  if (!output.animated)
    return;
  va_start(arguments, format);
  fputc('\r', stderr);
  vfprintf(stderr, format, arguments);
  fputs("\x1b[K", stderr);
  fflush(stderr);
  va_end(arguments);
  output.progress_shown = true;
}

void output_progress_end(void) {
  if (output.progress_shown) {
    fputs("\r\x1b[K", stderr);
    fflush(stderr);
  }
  output.progress_shown = false;
}

bool output_has_said(const char *text) {
  return strstr(output.last_message, text) != NULL;
}

const char *output_plural(uint64_t count) {
  return count == 1 ? "" : "s";
}

int output_problem(const struct problem *problem) {
  output_error("%s", problem->text);
  if (output.json) {
    struct json_object *document = json_object_new_object();
    struct json_object *error = json_object_new_object();

    json_object_object_add(error, "code", json_object_new_int(problem->exit_code));
    json_object_object_add(error, "message", json_text_new_string(problem->text));
    json_object_object_add(document, "error", error);
    output_json(document);
  }
  return problem->exit_code;
}

void output_json_to(FILE *out, struct json_object *document) {
  const char *text = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN |
                                                                  JSON_C_TO_STRING_NOSLASHESCAPE);

  utf8_text_print_json(out, text, strlen(text));
  putc('\n', out);
  json_object_put(document);
}

void output_json(struct json_object *document) {
  output_json_to(stdout, document);
}

const char *output_style(enum output_style style) {
  static const char *const codes[] = {
      [OUTPUT_PLAIN] = "",         [OUTPUT_BOLD] = "\x1b[1m",    [OUTPUT_DIM] = "\x1b[2m",
      [OUTPUT_GREEN] = "\x1b[32m", [OUTPUT_YELLOW] = "\x1b[33m", [OUTPUT_RED] = "\x1b[31m",
  };

  return output.colour ? codes[style] : "";
}

const char *output_style_end(void) {
  return output.colour ? "\x1b[0m" : "";
}

int output_finish(struct problem *problem) {
  bool failed_before = ferror(stdout) != 0; /* why is not known any more */

  if (fflush(stdout) != 0)
    return problem_set(problem, EXIT_CODE_FAILED, "cannot write to standard output: %s",
                       strerror(errno));
  return failed_before ? problem_set(problem, EXIT_CODE_FAILED, "cannot write to standard output")
                       : 0;
}
