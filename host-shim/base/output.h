/* output.h - what the user sees: data on standard output, everything else on standard error.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_OUTPUT_H
#define KAIZEN_HOST_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

#include "base/problem.h"

enum output_verbosity { OUTPUT_QUIET = -1, OUTPUT_NORMAL = 0, OUTPUT_VERBOSE = 1 };
enum output_style {
  OUTPUT_PLAIN,
  OUTPUT_BOLD,
  OUTPUT_DIM,
  OUTPUT_GREEN,
  OUTPUT_YELLOW,
  OUTPUT_RED
};

/* Once, before anything is printed: the character set of the locale, colour by NO_COLOR, TERM
 * and terminal. */
void output_init(void);
void output_configure(bool json, enum output_verbosity verbosity);
bool output_is_json(void);
bool output_is_quiet(void);
bool output_is_verbose(void);
/* True when characters outside ASCII can be shown. */
bool output_is_utf8(void);
/* True when standard error is a terminal on which lines can be redrawn. */
bool output_is_animated(void);

/* "kaizen-host: TEXT" on standard error; notes are left out with -q. */
void output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void output_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void output_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line of progress that replaces itself; only when animated.  output_progress_end() removes
 * it. */
void output_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void output_progress_end(void);

/* True when the last message on standard error contains `text`, so that it need not be repeated. */
bool output_has_said(const char *text);
/* The ending of a counted noun: "" for one, "s" for any other count. */
const char *output_plural(uint64_t count);

/* Prints the problem, with -o json also {"error":{"code","message"}} on standard output; answers
 * its exit code. */
int output_problem(const struct problem *problem);
/* One document on one line of standard output; takes the object over. */
void output_json(struct json_object *document);
void output_json_to(FILE *out, struct json_object *document);
/* Start and end of a style on standard output; "" without colour. */
const char *output_style(enum output_style style);
const char *output_style_end(void);
/* 0, or -1 with *problem when standard output could not take everything. */
int output_finish(struct problem *problem);

#endif
