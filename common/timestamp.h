/* timestamp.h - ISO 8601 text and seconds since 1970-01-01T00:00:00Z.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * No time zone data, no locale. */
#ifndef KAIZEN_COMMON_TIMESTAMP_H
#define KAIZEN_COMMON_TIMESTAMP_H

#include <stdint.h>

#include "common/span.h"

#define TIMESTAMP_TEXT_SIZE 21                /* "YYYY-MM-DDTHH:MM:SSZ" and NUL */
#define TIMESTAMP_MAX_S INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* Date and time with `Z` or an offset (+HH:MM, +HHMM, +HH); 'T', 't' or a space between; any
 * number of fraction digits, floored; also the basic form (20260131T235959Z) and times without
 * seconds. A leap second (:60) is the second after it. Week and ordinal dates are not read. 0 with
 * *seconds in 0..TIMESTAMP_MAX_S, else -1. */
int timestamp_parse(struct span text, int64_t *seconds);
/* `seconds` in 0..TIMESTAMP_MAX_S; anything else is printed as the nearest of these. */
void timestamp_format(int64_t seconds, char out[TIMESTAMP_TEXT_SIZE]);

#endif
