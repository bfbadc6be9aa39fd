/* window.c - which runs a command is asked about: --since, --until, --last.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/window.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time_text.h"
#include "common/timestamp.h"

static const int64_t DAY_S = 86400;

const struct option_spec window_range_options[] = {
    {"since", 0, OPTION_TEXT, "T",
     "only runs that ended at or after T: a date, a time, 7d, yesterday (UTC)"},
    {"until", 0, OPTION_TEXT, "T", "only runs that ended before T"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

const struct option_spec window_options[] = {
    {"since", 0, OPTION_TEXT, "T",
     "only runs that ended at or after T: a date, a time, 7d, yesterday (UTC)"},
    {"until", 0, OPTION_TEXT, "T", "only runs that ended before T"},
    {"last", 0, OPTION_COUNT, "N", "of these, only the newest N of each agent; 0: all"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

int window_length(const char *text, double *seconds) {
  static const struct {
    char unit;
    double seconds;
  } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
  size_t digits = strspn(text, "0123456789.");
  char *end = NULL;

  if (digits == 0 || digits > 15 || (text[digits] != '\0' && text[digits + 1] != '\0'))
    return -1;
  double number = strtod(text, &end);
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    if (end == text + digits && units[i].unit == text[digits]) {
      *seconds = number * units[i].seconds;
      return 0;
    }
  return -1;
}

/* The time of day may be left out, and so may the zone.  Runs have whole seconds: the one before a
 * fraction of a second ended before it. */
static int parse_time(const char *text, int64_t *time_s) {
  static const char *const ends[] = {"", "Z", "T00:00:00Z"};
  const char *fraction = text + strcspn(text, ".,");
  char whole[64];

  fraction += strspn(fraction, ".,0");
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (snprintf(whole, sizeof whole, "%s%s", text, ends[i]) < (int)sizeof whole &&
        timestamp_parse((struct span){whole, strlen(whole)}, time_s) == 0) {
      *time_s += *fraction >= '1' && *fraction <= '9';
      return 0;
    }
  return -1;
}

int window_time(const char *text, int64_t now_s, int64_t *time_s) {
  double ago_s = 0;

  if (strcmp(text, "now") == 0)
    *time_s = now_s;
  else if (strcmp(text, "today") == 0)
    *time_s = now_s - now_s % DAY_S;
  else if (strcmp(text, "yesterday") == 0)
    *time_s = now_s - now_s % DAY_S - DAY_S;
  else if (text[strspn(text, "0123456789.")] != '\0' && window_length(text, &ago_s) == 0)
    *time_s = ago_s < (double)now_s ? now_s - (int64_t)ago_s : 0;
  else
    return parse_time(text, time_s);
  return 0;
}

int window_option(const struct arguments *arguments, const char *name, bool *has, int64_t *time_s,
                  struct problem *problem) {
  const char *text = options_text(arguments, name, NULL);

  *has = text != NULL;
  if (text && window_time(text, time_text_now_ns() / 1000000000, time_s) < 0)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "--%s: '%s' is not a time; write 2026-01-31, 2026-01-31T23:59:59Z, 7d, 12h, "
                       "today or yesterday",
                       name, text);
  return 0;
}

int window_read(const struct arguments *arguments, struct window *window, struct problem *problem) {
  *window = (struct window){.last = (uint64_t)options_number(arguments, "last", 0)};
  if (window_option(arguments, "since", &window->has_since, &window->since_s, problem) < 0 ||
      window_option(arguments, "until", &window->has_until, &window->until_s, problem) < 0)
    return -1;
  if (window->has_since && window->has_until && window->since_s >= window->until_s)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "--since %s is not before --until %s: no run can match",
                       options_text(arguments, "since", ""), options_text(arguments, "until", ""));
  return 0;
}

int64_t window_ns(int64_t time_s) {
  return time_s < INT64_MAX / 1000000000 ? time_s * 1000000000 : INT64_MAX;
}

bool window_is_given(const struct window *window) {
  return window->has_since || window->has_until || window->last > 0;
}

void window_time_text(int64_t time_s, char out[WINDOW_TIME_MAX]) {
  char text[TIMESTAMP_TEXT_SIZE];

  timestamp_format(time_s, text);
  if (time_s < 0)
    strcpy(out, "an unknown time");
  else
    snprintf(out, WINDOW_TIME_MAX, "%.10s %.5s UTC", text, text + 11);
}

char *window_text(const struct window *window) {
  char since[WINDOW_TIME_MAX] = "", until[WINDOW_TIME_MAX] = "", last[48] = "";
  char *text = NULL;

  if (window->has_since)
    window_time_text(window->since_s, since);
  if (window->has_until)
    window_time_text(window->until_s, until);
  if (window->last > 0)
    snprintf(last, sizeof last, " of the last %" PRIu64, window->last);
  if (asprintf(&text, "%s%s%s%s%s", last, window->has_since ? " since " : "", since,
               window->has_until ? " until " : "", until) < 0)
    return NULL;
  return text;
}

struct json_object *window_time_json(int64_t time_s) {
  char text[TIMESTAMP_TEXT_SIZE];

  if (time_s < 0)
    return NULL;
  timestamp_format(time_s, text);
  return json_object_new_string(text);
}

struct json_object *window_json(const struct window *window) {
  struct json_object *object = json_object_new_object();

  json_object_object_add(object, "since",
                         window->has_since ? window_time_json(window->since_s) : NULL);
  json_object_object_add(object, "until",
                         window->has_until ? window_time_json(window->until_s) : NULL);
  json_object_object_add(object, "last",
                         window->last > 0 ? json_object_new_uint64(window->last) : NULL);
  return object;
}
