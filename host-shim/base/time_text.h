/* time_text.h - points in time and durations as people and logs write them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_TIME_TEXT_H
#define KAIZEN_HOST_TIME_TEXT_H

#include <stdint.h>

enum { TIME_TEXT_MAX = 32 };

/* A point in time as common/timestamp.h reads it, the same that a record's JSON may have, to
 * nanoseconds since 1970.  0, or -1 when it is none or outside the years 1970-2261. */
int time_text_parse(const char *text, int64_t *unix_ns);
/* "2026-01-02T03:04:05Z". */
void time_text_format(int64_t unix_ns, char out[TIME_TEXT_MAX]);
/* Of any year that a log may have, to 9999: nanoseconds end in 2262. */
void time_text_format_s(int64_t unix_s, char out[TIME_TEXT_MAX]);
/* "3 s", "5 min", "2 h", "9 d". */
void time_text_duration(double seconds, char out[TIME_TEXT_MAX]);
/* The same in a smaller unit, for two durations that would read the same: "125 s", "0.7 ms". */
void time_text_duration_finely(double seconds, char out[TIME_TEXT_MAX]);
int64_t time_text_now_ns(void);
double time_text_monotonic_s(void);

#endif
