/* time_text.c - points in time and durations as people and logs write them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/time_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const int64_t NS_PER_S = 1000000000;

/* Takes exactly `digits` digits; moves *at behind them. */
static bool take_number(const char **at, int digits, int *number) {
  *number = 0;
  for (int i = 0; i < digits; i++, (*at)++) {
    if (**at < '0' || **at > '9')
      return false;
    *number = *number * 10 + (**at - '0');
  }
  return true;
}

static bool take_character(const char **at, const char *allowed) {
  if (**at == '\0' || !strchr(allowed, **at))
    return false;
  (*at)++;
  return true;
}

static bool take_date(const char **at, struct tm *tm) {
  if (!take_number(at, 4, &tm->tm_year) || !take_character(at, "-") ||
      !take_number(at, 2, &tm->tm_mon) || !take_character(at, "-") ||
      !take_number(at, 2, &tm->tm_mday))
    return false;
  tm->tm_year -= 1900;
  tm->tm_mon -= 1;
  return tm->tm_year >= 70 && tm->tm_year <= 361 && tm->tm_mon >= 0 && tm->tm_mon < 12 &&
         tm->tm_mday >= 1;
}

static bool take_fraction(const char **at, int64_t *fraction_ns) {
  int64_t scale = NS_PER_S / 10;

  if (!take_character(at, ".,"))
    return true;
  if (**at < '0' || **at > '9')
    return false;
  for (; **at >= '0' && **at <= '9'; (*at)++, scale /= 10)
    *fraction_ns += (**at - '0') * scale;
  return true;
}

static bool take_clock(const char **at, struct tm *tm, int64_t *fraction_ns) {
  return take_number(at, 2, &tm->tm_hour) && take_character(at, ":") &&
         take_number(at, 2, &tm->tm_min) && take_character(at, ":") &&
         take_number(at, 2, &tm->tm_sec) && take_fraction(at, fraction_ns) && tm->tm_hour < 24 &&
         tm->tm_min < 60 && tm->tm_sec < 60;
}

static bool take_offset(const char **at, int *offset_s) {
  int hours = 0, minutes = 0;

  if (take_character(at, "Zz"))
    return true;
  int sign = **at == '-' ? -1 : 1;
  if (!take_character(at, "+-") || !take_number(at, 2, &hours))
    return false;
  take_character(at, ":");
  if (!take_number(at, 2, &minutes) || hours > 23 || minutes > 59)
    return false;
  *offset_s = sign * (hours * 3600 + minutes * 60);
  return true;
}

int time_text_parse(const char *text, int64_t *unix_ns) {
  struct tm tm = {.tm_isdst = 0};
  int64_t fraction_ns = 0;
  int offset_s = 0;

  if (!take_date(&text, &tm))
    return -1;
  int day = tm.tm_mday;
  if (*text != '\0' && (!take_character(&text, "Tt ") || !take_clock(&text, &tm, &fraction_ns) ||
                        !take_offset(&text, &offset_s) || *text != '\0'))
    return -1;
  int64_t seconds = (int64_t)timegm(&tm) - offset_s;
  if (tm.tm_mday != day || seconds < 0) /* timegm() makes 2 March of 30 February */
    return -1;
  *unix_ns = seconds * NS_PER_S + fraction_ns;
  return 0;
}

void time_text_format(int64_t unix_ns, char out[TIME_TEXT_MAX]) {
  time_t seconds = unix_ns / NS_PER_S - (unix_ns % NS_PER_S < 0);
  struct tm tm;

  if (!gmtime_r(&seconds, &tm) || strftime(out, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    strcpy(out, "?");
}

void time_text_duration(double seconds, char out[TIME_TEXT_MAX]) {
  if (seconds < 1)
    snprintf(out, TIME_TEXT_MAX, "%.0f ms", seconds * 1000);
  else if (seconds < 120)
    snprintf(out, TIME_TEXT_MAX, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
  else if (seconds < 7200)
    snprintf(out, TIME_TEXT_MAX, "%.0f min", seconds / 60);
  else if (seconds < 172800)
    snprintf(out, TIME_TEXT_MAX, "%.0f h", seconds / 3600);
  else
    snprintf(out, TIME_TEXT_MAX, "%.0f d", seconds / 86400);
}

int64_t time_text_now_ns(void) {
  struct timespec now;

  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

double time_text_monotonic_s(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
