/* test_timed_wait.c - waiting where the process has another clock than the kernel.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/timed_wait.h"

#define DECADE_S INT64_C(315360000)
#define MOMENT_NS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

static int64_t offset_s;

/* Stands before the library's, for the plugin's code as well. */
int clock_gettime(clockid_t id, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, id, now);

  if (id == CLOCK_MONOTONIC)
    now->tv_sec += offset_s;
  return result;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool waits, done;
static sem_t semaphore;

static void *answer(void *ignored) {
  for (bool answered = false; !answered;) {
    (void)pthread_mutex_lock(&mutex);
    if (waits) {
      done = answered = true;
      (void)pthread_cond_signal(&changed);
      (void)sem_post(&semaphore);
    }
    (void)pthread_mutex_unlock(&mutex);
  }
  return ignored;
}

static void wait_for_an_answer(int64_t deadline_ns) {
  pthread_t thread;
  bool in_time = true;

  (void)sem_init(&semaphore, 0, 0);
  cr_assert_eq(pthread_create(&thread, NULL, answer, NULL), 0);
  (void)pthread_mutex_lock(&mutex);
  waits = true;
  while (!done && in_time)
    in_time = timed_wait_cond(&changed, &mutex, deadline_ns);
  (void)pthread_mutex_unlock(&mutex);
  cr_assert(in_time, "the wait ended before its deadline");
  cr_assert(timed_wait_semaphore(&semaphore, deadline_ns));
  cr_assert_eq(pthread_join(thread, NULL), 0);
}

static void wait_in_vain(void) {
  (void)sem_init(&semaphore, 0, 0);
  (void)pthread_mutex_lock(&mutex);
  while (timed_wait_cond(&changed, &mutex, clock_monotonic_ns() + MOMENT_NS))
    continue;
  (void)pthread_mutex_unlock(&mutex);
  cr_assert_not(timed_wait_semaphore(&semaphore, clock_monotonic_ns() + MOMENT_NS));
}

Test(timed_wait, lasts_as_long_as_it_may_behind_the_kernels_clock) {
  int64_t uptime_ns = clock_monotonic_ns();

  struct timespec began, ended;

  offset_s = -uptime_ns / 2 / NS_PER_S;
  (void)sem_init(&semaphore, 0, 0);
  (void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &began);
  cr_assert_not(timed_wait_semaphore(&semaphore, clock_monotonic_ns() + 50 * MOMENT_NS));
  (void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ended);
  cr_assert_geq((ended.tv_sec - began.tv_sec) * NS_PER_S + ended.tv_nsec - began.tv_nsec,
                50 * MOMENT_NS);
  wait_for_an_answer(uptime_ns * 3 / 4); /* for the kernel that has passed */
}

Test(timed_wait, ends_at_its_deadline_ahead_of_the_kernels_clock) {
  offset_s = DECADE_S;
  wait_in_vain();
}

Test(timed_wait, without_an_end_lasts_until_the_answer) {
  wait_for_an_answer(INT64_MAX);
}
