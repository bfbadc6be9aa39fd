/* clock.c - the clocks.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

static int64_t read_clock(clockid_t id) {
  struct timespec now;

  if (clock_gettime(id, &now) != 0)
    return 0;
  if (now.tv_sec >= INT64_MAX / NS_PER_S) /* a clock that is set after the year 2262 */
    return INT64_MAX;
  return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_monotonic_ns(void) {
  return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void) {
  return read_clock(CLOCK_REALTIME);
}

int64_t clock_boot_ns(void) {
#ifdef CLOCK_BOOTTIME
  return read_clock(CLOCK_BOOTTIME);
#else
  return read_clock(CLOCK_MONOTONIC);
#endif
}

void clock_pause_ns(int64_t ns) {
  struct timespec pause = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
  int saved_errno = errno;

  (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
  errno = saved_errno;
}
