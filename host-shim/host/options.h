/* options.h - the command line: one table of options per command.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Parsing, the help text and the shell completions are made from the same tables, so that they
 * cannot disagree. */
#ifndef KAIZEN_HOST_OPTIONS_H
#define KAIZEN_HOST_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/problem.h"

enum option_kind {
  OPTION_FLAG,     /* no value */
  OPTION_TEXT,     /* any value */
  OPTION_NAME,     /* any value with more than white space in it */
  OPTION_PAIR,     /* NAME=VALUE with a name that is not empty */
  OPTION_NUMBER,   /* a finite decimal number */
  OPTION_SECONDS,  /* a number from 0 to 24 days */
  OPTION_PERIOD,   /* the same, from 0.1: what is waited for again and again */
  OPTION_COUNT,    /* a whole number from 0 */
  OPTION_COUNT_1,  /* the same, from 1 */
  OPTION_CHOICE,   /* one of the words in `metavar`, separated by '|' */
  OPTION_FILE,     /* a file's name */
  OPTION_DIRECTORY /* a folder's name */
};

struct option_spec { /* tables end with a zeroed entry */
  const char *name;  /* without the two dashes */
  char letter;       /* short form, 0 = none */
  enum option_kind kind;
  const char *metavar; /* how the help names the value; NULL for a flag */
  const char *help;    /* one line, no full stop */
};

enum { OPTION_GROUPS_MAX = 6 };

struct option_value {
  const struct option_spec *spec;
  const char *text; /* NULL for a flag */
  double number;    /* of the kinds that are numbers */
};

struct arguments { /* everything is borrowed from argv, except the two arrays */
  struct option_value *values;
  size_t value_count;
  const char **words; /* positional arguments */
  size_t word_count;
  char **rest; /* what follows "--", NULL-terminated as argv is; NULL when there was no "--" */
  bool help;   /* -h was given; parsing ended there */
};

/* Room for argc arguments; -1 when there is no memory. */
int options_init(struct arguments *arguments, int argc);
void options_fini(struct arguments *arguments);

struct option_parser {
  const struct option_spec *const *groups; /* tables, NULL-terminated */
  int argc;
  char **argv;
  int next;                    /* the argument to look at next */
  struct arguments *arguments; /* where everything goes */
};
/* With stop_at_word the first positional argument ends the parsing (`next` is left at it),
 * otherwise the end of argv does.  -1: EXIT_CODE_USAGE. */
int options_parse(struct option_parser *parser, bool stop_at_word, struct problem *problem);

/* The option of that name or letter in NULL-terminated tables, or NULL. */
const struct option_spec *options_find(const struct option_spec *const *groups, const char *name,
                                       size_t len);
const struct option_spec *options_find_letter(const struct option_spec *const *groups, char letter);

bool options_given(const struct arguments *arguments, const char *name);
/* The last value given, or NULL. */
const struct option_value *options_last(const struct arguments *arguments, const char *name);
const char *options_text(const struct arguments *arguments, const char *name,
                         const char *otherwise);
double options_number(const struct arguments *arguments, const char *name, double otherwise);

#endif
