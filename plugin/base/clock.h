/* clock.h - elapsed time for deadlines, wall time for records, time since the boot for what
 * outlives a process.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BASE_CLOCK_H
#define KAIZEN_BASE_CLOCK_H

#include <stdint.h>

/* So many seconds and nanoseconds; INT64_MAX or INT64_MIN when nanoseconds since 1970 cannot tell
 * it, before the year 1677 and after 2262. */
int64_t clock_ns_of(int64_t seconds, int64_t nanoseconds);
int64_t clock_monotonic_ns(void); /* CLOCK_MONOTONIC: every deadline */
/* Until that deadline; at least 1, as what takes a time-out may wait forever with 0. */
int64_t clock_left_ms(int64_t deadline_ns);
int64_t clock_wall_ns(void); /* CLOCK_REALTIME: what is written */
/* Since this boot, including the time that the machine slept; comparable within one boot only. */
int64_t clock_boot_ns(void);
void clock_pause_ns(int64_t ns); /* sleeps all of it; signals do not cut it short */

#endif
