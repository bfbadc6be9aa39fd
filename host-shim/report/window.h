/* window.h - which runs a command is asked about: --since, --until, --last.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_WINDOW_H
#define KAIZEN_HOST_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/problem.h"
#include "host/options.h"

struct window {
  bool has_since, has_until;
  int64_t since_s, until_s; /* since_s <= t < until_s, seconds since 1970 */
  uint64_t last;            /* of those the newest `last`; 0: all */
};

/* --since and --until; and those with --last. */
extern const struct option_spec window_range_options[];
extern const struct option_spec window_options[];

/* -1: EXIT_CODE_USAGE, naming the option and its value. */
int window_read(const struct arguments *arguments, struct window *window, struct problem *problem);
bool window_is_given(const struct window *window);
/* "3 runs since 2026-11-20 00:00 UTC" needs the part after the count: "", or it begins with a
 * blank; the caller's to free, NULL without memory. */
char *window_text(const struct window *window);
/* {"since","until","last"}, null where not given. */
struct json_object *window_json(const struct window *window);

/* A point in time as an option has it: ISO 8601 (UTC unless it has an offset), a date, "now",
 * "today", "yesterday", or how long ago ("90s", "30m", "12h", "7d", "2w").  -1: none of them. */
int window_time(const char *text, int64_t now_s, int64_t *time_s);
/* The same of an option; *has false: it is not given.  -1: EXIT_CODE_USAGE, naming it. */
int window_option(const struct arguments *arguments, const char *name, bool *has, int64_t *time_s,
                  struct problem *problem);
/* A length of time: a number with s, m, h, d or w, or of seconds.  -1: none. */
int window_length(const char *text, double *seconds);
/* In nanoseconds, as in the plugin's interface; the nearest value that fits. */
int64_t window_ns(int64_t time_s);
/* "2026-11-20 14:02 UTC"; "an unknown time" for a negative one. */
enum { WINDOW_TIME_MAX = 24 };
void window_time_text(int64_t time_s, char out[WINDOW_TIME_MAX]);
/* "2026-11-20T14:02:00Z", or null for an unknown time (negative). */
struct json_object *window_time_json(int64_t time_s);

#endif
