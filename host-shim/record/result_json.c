/* result_json.c - JSON as programs print it: on one line or many, with other output around it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/result_json.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hook_redact.h"
#include "host/report_text.h"

static const double TOKENS_MAX = 1e12; /* a larger number is a mistake */
enum { DEPTH_MAX = 128, TRIES_MAX = 256, TRIES_IN_LINE_MAX = 8 };

/* The JSON value at the start of text[0..len), or NULL. */
static struct json_object *parse(const char *text, size_t len) {
  struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
  struct json_object *value = NULL;

  if (tokener && len < INT_MAX)
    value = json_tokener_parse_ex(tokener, text, (int)len);
  json_tokener_free(tokener);
  return value;
}

/* An escape code ends with a letter: its '[' begins no value. */
static size_t find_bracket(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    if ((text[i] == '{' || text[i] == '[') && (i == 0 || text[i - 1] != '\033'))
      return i;
  return len;
}

/* The next line at or after *at, from its first bracket on, without what is before: a byte order
 * mark, escape codes, a warning.  false at the end. */
static bool next_line(const char *text, size_t len, size_t *at, const char **line,
                      size_t *line_len) {
  if (*at >= len)
    return false;
  const char *start = text + *at;
  const char *newline = memchr(start, '\n', len - *at);
  size_t whole = newline ? (size_t)(newline - start) : len - *at;
  size_t before = find_bracket(start, whole);
  *line = start + before;
  *line_len = whole - before;
  *at += whole + (newline != NULL);
  return true;
}

size_t result_json_events(const char *text, size_t len,
                          bool (*take)(void *ctx, struct json_object *event), void *ctx) {
  const char *line = NULL;
  size_t at = 0, line_len = 0, taken = 0;

  while (next_line(text, len, &at, &line, &line_len)) {
    struct json_object *event = line_len > 0 && *line == '{' ? parse(line, line_len) : NULL;

    taken += json_object_is_type(event, json_type_object) && take(ctx, event);
    json_object_put(event);
  }
  return taken;
}

/* The value, or the last member of an array, that fits; takes over the value. */
static struct json_object *take_fitting(struct json_object *value,
                                        bool (*fits)(struct json_object *)) {
  struct json_object *found = NULL;
  bool is_array = json_object_is_type(value, json_type_array);

  if (json_object_is_type(value, json_type_object) && fits(value))
    found = json_object_get(value);
  for (size_t i = is_array ? json_object_array_length(value) : 0; !found && i-- > 0;) {
    struct json_object *member = json_object_array_get_idx(value, i);

    if (json_object_is_type(member, json_type_object) && fits(member))
      found = json_object_get(member);
  }
  json_object_put(value);
  return found;
}

/* After a warning with brackets of its own, too. */
static struct json_object *find_in_line(const char *line, size_t len,
                                        bool (*fits)(struct json_object *)) {
  for (int tries = 0; len > 0 && tries < TRIES_IN_LINE_MAX; tries++) {
    struct json_object *value = parse(line, len);

    if (value)
      return take_fitting(value, fits);
    size_t next = 1 + find_bracket(line + 1, len - 1);
    line += next;
    len -= next;
  }
  return NULL;
}

static struct json_object *find_in_lines(const char *text, size_t len, const char *holds,
                                         bool (*fits)(struct json_object *)) {
  struct json_object *found = NULL;
  const char *line = NULL;
  size_t at = 0, line_len = 0;

  while (next_line(text, len, &at, &line, &line_len)) {
    struct json_object *here =
        memmem(line, line_len, holds, strlen(holds)) ? find_in_line(line, line_len, fits) : NULL;

    if (here) {
      json_object_put(found);
      found = here;
    }
  }
  return found;
}

/* A value over many lines, after other output. Every bracket at which a value could begin is tried,
 * as long as such a try ends soon, so that a text is not read again and again. */
static struct json_object *find_behind_noise(const char *text, size_t len,
                                             bool (*fits)(struct json_object *)) {
  struct json_object *found = NULL;
  const char *line = NULL;
  size_t at = 0, line_len = 0;

  for (int tries = 0;
       !found && tries<TRIES_MAX; tries += line_len> 0) /* lines without a bracket cost nothing */
    if (!next_line(text, len, &at, &line, &line_len))
      break;
    else if (line_len > 0)
      found = take_fitting(parse(line, len - (size_t)(line - text)), fits);
  return found;
}

struct json_object *result_json_find(const char *text, size_t len, const char *holds,
                                     bool (*fits)(struct json_object *object)) {
  struct json_object *found = find_in_lines(text, len, holds, fits);

  return found ? found : find_behind_noise(text, len, fits);
}

void result_json_word(struct json_object *object, const char *name, char *out, size_t max) {
  const char *text = report_text_string(object, name, "");
  bool fits = hook_redact_is_word(text, max) && !hook_redact_is_secret(text);

  snprintf(out, max + 1, "%s", fits ? text : "");
}

double result_json_tokens(struct json_object *object, const char *name, double otherwise) {
  struct json_object *member = report_text_member(object, name);
  double tokens = report_text_number(object, name, -1);

  if (!member)
    return otherwise;
  return tokens >= 0 && tokens <= TOKENS_MAX && tokens == floor(tokens) ? tokens : NAN;
}

double result_json_number(struct json_object *object, const char *name) {
  double number = report_text_number(object, name, 0);

  return isfinite(number) && number > 0 ? number : 0;
}
