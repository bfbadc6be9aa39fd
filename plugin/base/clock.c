/* clock.c - the clocks.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

int64_t clock_ns_of(int64_t seconds, int64_t nanoseconds) {
  int64_t ns;

  if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) ||
      __builtin_add_overflow(ns, nanoseconds, &ns))
    return seconds < 0 ? INT64_MIN : INT64_MAX;
  return ns;
}

static int64_t read_clock(clockid_t id) {
  struct timespec now;

  if (clock_gettime(id, &now) != 0)
    return 0;
  return clock_ns_of(now.tv_sec, now.tv_nsec);
}

int64_t clock_monotonic_ns(void) {
  return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_left_ms(int64_t deadline_ns) {
  int64_t left_ns = deadline_ns - clock_monotonic_ns();

  return left_ns > NS_PER_MS ? left_ns / NS_PER_MS : 1;
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
