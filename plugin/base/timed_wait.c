/* timed_wait.c - waiting for a condition or a semaphore, with a deadline.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/timed_wait.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define NS_PER_S INT64_C(1000000000)

static int64_t kernel_monotonic_ns(void) {
#ifdef SYS_clock_gettime
  struct timespec now; /* as wide as the kernel's only where a long has 64 bits */

  if (sizeof(long) == sizeof(int64_t) && syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0)
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
#endif
  return clock_monotonic_ns();
}

static struct timespec kernel_deadline(int64_t deadline_ns) {
  int64_t left_ns = deadline_ns - clock_monotonic_ns(), at_ns = kernel_monotonic_ns();

  if (left_ns > 0)
    at_ns = left_ns < INT64_MAX - at_ns ? at_ns + left_ns : INT64_MAX;
  return (struct timespec){.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};
}

bool timed_wait_cond(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns) {
  const struct timespec deadline = kernel_deadline(deadline_ns);

  return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &deadline) != ETIMEDOUT;
}

bool timed_wait_semaphore(sem_t *semaphore, int64_t deadline_ns) {
  const struct timespec deadline = kernel_deadline(deadline_ns);

  while (sem_clockwait(semaphore, CLOCK_MONOTONIC, &deadline) != 0)
    if (errno != EINTR)
      return false;
  return true;
}
