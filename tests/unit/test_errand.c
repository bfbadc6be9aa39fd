/* test_errand.c - work with a deadline.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <semaphore.h>
#include <signal.h>

#include "base/clock.h"
#include "base/errand.h"

#define PATIENCE_NS INT64_C(60000000000)

struct task {
  sem_t go, dropped;
  int worked;
  sigset_t mask;
};

static void work(void *ctx) {
  struct task *task = ctx;

  (void)pthread_sigmask(SIG_SETMASK, NULL, &task->mask);
  while (sem_wait(&task->go) != 0)
    continue;
  task->worked++;
}

static void hurry(void *ctx) {
  struct task *task = ctx;

  (void)sem_post(&task->go);
}

static void drop(void *ctx) {
  struct task *task = ctx;

  (void)sem_post(&task->dropped);
}

static struct task task;

static void set_up(void) {
  (void)sem_init(&task.go, 0, 0);
  (void)sem_init(&task.dropped, 0, 0);
}

Test(errand, that_ends_in_time_gives_its_context_back, .init = set_up) {
  const struct errand errand = {.work = work, .drop = drop};
  int dropped;

  (void)sem_post(&task.go);
  cr_assert_eq(errand_run(&errand, &task, clock_monotonic_ns() + PATIENCE_NS), 0);
  cr_assert_eq(task.worked, 1);
  cr_assert_eq(sigismember(&task.mask, SIGTERM), 1, "the host's signals are not its own");
  cr_assert_eq(sem_getvalue(&task.dropped, &dropped), 0);
  cr_assert_eq(dropped, 0);
}

Test(errand, that_hangs_is_left_behind_and_drops_its_context_itself, .init = set_up) {
  const struct errand errand = {.work = work, .drop = drop};

  cr_assert_eq(errand_run(&errand, &task, clock_monotonic_ns()), 1);
  cr_assert_eq(task.worked, 0);
  (void)sem_post(&task.go);
  while (sem_wait(&task.dropped) != 0)
    continue;
  cr_assert_eq(task.worked, 1);
}

Test(errand, that_can_be_hurried_is_not_left_behind, .init = set_up) {
  const struct errand errand = {.work = work, .hurry = hurry, .drop = drop};
  int result = errand_run(&errand, &task, clock_monotonic_ns());

  if (result == 1) /* on a machine too busy for it */
    while (sem_wait(&task.dropped) != 0)
      continue;
  cr_assert_eq(task.worked, 1);
}
