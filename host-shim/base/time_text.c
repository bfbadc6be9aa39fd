/* time_text.c - points in time and durations as people and logs write them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/time_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/timestamp.h"

static const int64_t NS_PER_S = 1000000000;

int time_text_parse(const char *text, int64_t *unix_ns) {
  int64_t seconds;

  if (timestamp_parse((struct span){text, strlen(text)}, &seconds) != 0 ||
      seconds > INT64_MAX / NS_PER_S)
    return -1;
  *unix_ns = seconds * NS_PER_S;
  return 0;
}

void time_text_format(int64_t unix_ns, char out[TIME_TEXT_MAX]) {
  time_text_format_s(unix_ns / NS_PER_S - (unix_ns % NS_PER_S < 0), out);
}

void time_text_format_s(int64_t unix_s, char out[TIME_TEXT_MAX]) {
  if (unix_s < 0)
    strcpy(out, "?");
  else
    timestamp_format(unix_s, out);
}

void time_text_duration(double seconds, char out[TIME_TEXT_MAX]) {
  if (seconds > 0 && seconds < 0.0005)
    strcpy(out, "<1 ms");
  else if (seconds < 0.9995)
    snprintf(out, TIME_TEXT_MAX, "%.0f ms", seconds * 1000);
  else if (seconds < 119.5)
    snprintf(out, TIME_TEXT_MAX, seconds < 9.95 ? "%.1f s" : "%.0f s", seconds);
  else if (seconds < 7170)
    snprintf(out, TIME_TEXT_MAX, "%.0f min", seconds / 60);
  else if (seconds < 171000)
    snprintf(out, TIME_TEXT_MAX, "%.0f h", seconds / 3600);
  else
    snprintf(out, TIME_TEXT_MAX, seconds < 1e15 ? "%.0f d" : "%.3g d", seconds / 86400);
}

void time_text_duration_finely(double seconds, char out[TIME_TEXT_MAX]) {
  if (seconds < 1)
    snprintf(out, TIME_TEXT_MAX, "%.3g ms", seconds * 1000);
  else if (seconds < 7200)
    snprintf(out, TIME_TEXT_MAX, seconds < 120 ? "%.1f s" : "%.0f s", seconds);
  else if (seconds < 172800)
    snprintf(out, TIME_TEXT_MAX, "%.0f min", seconds / 60);
  else
    snprintf(out, TIME_TEXT_MAX, "%.0f h", seconds / 3600);
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
