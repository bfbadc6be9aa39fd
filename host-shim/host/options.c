/* options.c - the command line: one table of options per command.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

enum { SHORT_FLAGS_MAX = 7 };                     /* written together in one argument, as in -qv */
static const double SECONDS_MAX = 24.0 * 86400.0; /* in milliseconds an int, as poll() takes it */
static const double PERIOD_MIN_S = 0.1;
static const double COUNT_MAX = 9007199254740992.0; /* 2^53: every whole number up to it is exact */

int options_init(struct arguments *arguments, int argc) {
  size_t room = (size_t)argc + 1;

  *arguments = (struct arguments){.values = NULL};
  arguments->values = calloc(room * (SHORT_FLAGS_MAX + 1), sizeof *arguments->values);
  arguments->words = calloc(room, sizeof *arguments->words);
  if (!arguments->values || !arguments->words) {
    options_fini(arguments);
    return -1;
  }
  return 0;
}

void options_fini(struct arguments *arguments) {
  free(arguments->values);
  free(arguments->words);
  *arguments = (struct arguments){.values = NULL};
}

const struct option_spec *options_find(const struct option_spec *const *groups, const char *name,
                                       size_t len) {
  for (; *groups; groups++)
    for (const struct option_spec *spec = *groups; spec->name; spec++)
      if (strlen(spec->name) == len && memcmp(spec->name, name, len) == 0)
        return spec;
  return NULL;
}

const struct option_spec *options_find_letter(const struct option_spec *const *groups,
                                              char letter) {
  for (; *groups; groups++)
    for (const struct option_spec *spec = *groups; spec->name; spec++)
      if (spec->letter == letter)
        return spec;
  return NULL;
}

/* True for the rest of a --no-... that is not itself the name of an option. */
static bool is_after_no(const struct option_spec *const *groups, const char *name) {
  return !options_find(groups, name, strlen(name));
}

static int unknown_option(const struct option_spec *const *groups, const char *name, size_t len,
                          struct problem *problem) {
  const struct option_spec *const *all = groups;
  char written[64] = "";
  if (len < sizeof written)
    memcpy(written, name, len);
  struct nearest nearest = nearest_to(written);
  for (; *groups; groups++)
    for (const struct option_spec *spec = *groups; spec->name; spec++) {
      nearest_offer(&nearest, spec->name);
      if (strncmp(spec->name, "no-", 3) == 0) /* --broker of --no-broker is part of the name */
        nearest_offer(&nearest, spec->name + 3);
    }
  if (nearest.best)
    return problem_set(problem, EXIT_CODE_USAGE, "unknown option --%.*s; did you mean --%s%s?",
                       (int)len, name, is_after_no(all, nearest.best) ? "no-" : "", nearest.best);
  return problem_set(problem, EXIT_CODE_USAGE, "unknown option --%.*s; -h lists the options",
                     (int)len, name);
}

static int read_number(const char *text, double *number) {
  char *end = NULL;

  /* strtod also accepts "inf", "nan" and hexadecimal; a number here is decimal. */
  if (*text == '\0' || text[strspn(text, "0123456789+-.eE")] != '\0')
    return -1;
  *number = strtod(text, &end);
  return *end == '\0' && isfinite(*number) ? 0 : -1;
}

static bool is_choice(const char *choices, const char *text) {
  size_t len = strlen(text);

  for (const char *word = choices; len > 0; word = strchr(word, '|') + 1) {
    if (strcspn(word, "|") == len && memcmp(word, text, len) == 0)
      return true;
    if (!strchr(word, '|'))
      break;
  }
  return false;
}

static int check_seconds(const struct option_value *value, bool is_number, double least,
                         struct problem *problem) {
  if (is_number && value->number >= least && value->number <= SECONDS_MAX)
    return 0;
  return problem_set(problem, EXIT_CODE_USAGE,
                     "--%s: '%s' is not a number of seconds from %g to %.0f", value->spec->name,
                     value->text, least, SECONDS_MAX);
}

static int check_count(const struct option_value *value, bool is_number, double least,
                       struct problem *problem) {
  bool is_whole = is_number && value->text[strspn(value->text, "0123456789")] == '\0';

  if (is_whole && value->number >= least && value->number <= COUNT_MAX)
    return 0;
  return problem_set(problem, EXIT_CODE_USAGE, "--%s: '%s' is not a whole number, %.0f or more%s",
                     value->spec->name, value->text, least,
                     is_whole && value->number > COUNT_MAX ? ", below 2^53" : "");
}

static int check_value(struct option_value *value, struct problem *problem) {
  const char *name = value->spec->name;
  const char *text = value->text;
  bool is_number = read_number(text, &value->number) == 0;

  switch (value->spec->kind) {
  case OPTION_NUMBER:
    if (!is_number)
      return problem_set(problem, EXIT_CODE_USAGE,
                         "--%s: '%s' is not a number; write one such as 0.9", name, text);
    return 0;
  case OPTION_SECONDS:
    return check_seconds(value, is_number, 0, problem);
  case OPTION_PERIOD:
    return check_seconds(value, is_number, PERIOD_MIN_S, problem);
  case OPTION_COUNT:
    return check_count(value, is_number, 0, problem);
  case OPTION_COUNT_1:
    return check_count(value, is_number, 1, problem);
  case OPTION_CHOICE:
    if (!is_choice(value->spec->metavar, text))
      return problem_set(problem, EXIT_CODE_USAGE, "--%s: '%s' is not one of %s", name, text,
                         value->spec->metavar);
    return 0;
  case OPTION_PAIR:
    if (!strchr(text, '=') || *text == '=')
      return problem_set(problem, EXIT_CODE_USAGE, "--%s: '%s' is not %s", name, text,
                         value->spec->metavar);
    return 0;
  case OPTION_NAME:
    text += strspn(text, " \t\r\n");
    /* fall through */
  case OPTION_FILE:
  case OPTION_DIRECTORY:
    if (*text == '\0')
      return problem_set(problem, EXIT_CODE_USAGE,
                         "--%s: '%s' is empty; give %s, or leave the option out", name, value->text,
                         value->spec->metavar);
    return 0;
  case OPTION_FLAG:
  case OPTION_TEXT:
    return 0;
  }
  return 0;
}

/* The value of an option is the next argument, unless that is clearly another option. */
static int take_next_argument(struct option_parser *parser, struct option_value *value,
                              struct problem *problem) {
  const struct option_spec *spec = value->spec;
  if (parser->next >= parser->argc)
    return problem_set(problem, EXIT_CODE_USAGE, "--%s needs a value: %s", spec->name,
                       spec->metavar);
  const char *text = parser->argv[parser->next];
  if (strncmp(text, "--", 2) == 0 && options_find(parser->groups, text + 2, strlen(text + 2)))
    return problem_set(
        problem, EXIT_CODE_USAGE,
        "--%s needs a value (%s), but %s follows; if that is the value, write --%s=%s", spec->name,
        spec->metavar, text, spec->name, text);
  value->text = text;
  parser->next++;
  return 0;
}

/* `attached` is the value written in the same argument (--x=V, -xV), or NULL. */
static int take_option(struct option_parser *parser, const struct option_spec *spec,
                       const char *attached, struct problem *problem) {
  struct arguments *arguments = parser->arguments;
  struct option_value value = {.spec = spec, .text = attached, .number = 0};
  if (spec->kind == OPTION_FLAG && attached)
    return problem_set(problem, EXIT_CODE_USAGE, "--%s takes no value, but got '%s'", spec->name,
                       attached);
  if (spec->kind != OPTION_FLAG && !attached && take_next_argument(parser, &value, problem) < 0)
    return -1;
  if (value.text && check_value(&value, problem) < 0)
    return -1;
  arguments->values[arguments->value_count++] = value;
  arguments->help = arguments->help || strcmp(spec->name, "help") == 0;
  return 0;
}

static int take_long(struct option_parser *parser, const char *name, struct problem *problem) {
  size_t len = strcspn(name, "=");
  const struct option_spec *spec = options_find(parser->groups, name, len);

  if (!spec)
    return unknown_option(parser->groups, name, len, problem);
  return take_option(parser, spec, name[len] == '=' ? name + len + 1 : NULL, problem);
}

static int take_short(struct option_parser *parser, const char *letters, struct problem *problem) {
  for (size_t taken = 0; *letters != '\0'; letters++, taken++) {
    const struct option_spec *spec = options_find_letter(parser->groups, *letters);

    if (!spec || taken == SHORT_FLAGS_MAX)
      return problem_set(problem, EXIT_CODE_USAGE, "unknown option -%s; -h lists the options",
                         letters);
    const char *attached = spec->kind != OPTION_FLAG && letters[1] != '\0' ? letters + 1 : NULL;
    if (take_option(parser, spec, attached, problem) < 0)
      return -1;
    if (spec->kind != OPTION_FLAG)
      return 0;
  }
  return 0;
}

int options_parse(struct option_parser *parser, bool stop_at_word, struct problem *problem) {
  struct arguments *arguments = parser->arguments;

  while (parser->next < parser->argc && !arguments->help) {
    const char *argument = parser->argv[parser->next];
    bool is_word = argument[0] != '-' || argument[1] == '\0'; /* "-" alone means standard input */
    int result = 0;

    if (is_word && stop_at_word)
      return 0;
    parser->next++;
    if (is_word) {
      arguments->words[arguments->word_count++] = argument;
    } else if (strcmp(argument, "--") == 0) {
      arguments->rest = parser->argv + parser->next;
      parser->next = parser->argc;
    } else {
      result = argument[1] == '-' ? take_long(parser, argument + 2, problem)
                                  : take_short(parser, argument + 1, problem);
    }
    if (result < 0)
      return -1;
  }
  return 0;
}

const struct option_value *options_last(const struct arguments *arguments, const char *name) {
  for (size_t i = arguments->value_count; i > 0; i--)
    if (strcmp(arguments->values[i - 1].spec->name, name) == 0)
      return &arguments->values[i - 1];
  return NULL;
}

bool options_given(const struct arguments *arguments, const char *name) {
  return options_last(arguments, name) != NULL;
}

const char *options_text(const struct arguments *arguments, const char *name,
                         const char *otherwise) {
  const struct option_value *value = options_last(arguments, name);
  return value ? value->text : otherwise;
}

double options_number(const struct arguments *arguments, const char *name, double otherwise) {
  const struct option_value *value = options_last(arguments, name);

  return value ? value->number : otherwise;
}
