/* test_process.c - which process this is, and state that is one a process, across forks.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <semaphore.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"

static struct process_state state = PROCESS_STATE_INITIALIZER;
static int guarded;
static sem_t locked, done;

static void forget(void) {
  guarded = 0;
}

/* The exit status of a child that runs `in_child`; 255: it did not end by itself. */
static int status_of_child(int (*in_child)(void)) {
  pid_t child = fork();
  int status;

  if (child == 0) {
    (void)alarm(20);
    _exit(in_child());
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static uint64_t number_before;

static int has_another_number(void) {
  return process_number() != number_before && process_number() == process_number() ? 0 : 1;
}

static int has_other_numbers_down_the_line(void) {
  uint64_t parents = number_before;
  int wrong = has_another_number();

  number_before = process_number();
  return wrong || process_number() == parents || status_of_child(has_another_number) != 0;
}

static void check_numbers(void) {
  number_before = process_number();
  cr_assert_neq(number_before, 0);
  cr_assert_eq(process_number(), number_before);
  cr_assert_eq(status_of_child(has_another_number), 0);
  cr_assert_eq(status_of_child(has_other_numbers_down_the_line), 0);
  cr_assert_eq(process_number(), number_before);
}

Test(process, has_a_number_that_no_child_has) {
  check_numbers();
}

/* As qemu-user does it. */
static void let_madvise_only_say_yes(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    cr_skip_test("no system call can be answered here");
}

Test(process, has_another_number_in_a_child_where_madvise_only_says_yes) {
  let_madvise_only_say_yes();
  check_numbers();
}

static void *hold(void *ctx) {
  process_state_lock(&state, forget);
  guarded = 7;
  (void)sem_post(&locked);
  while (sem_wait(&done) != 0)
    continue;
  process_state_unlock(&state);
  return ctx;
}

static int begins_anew(void) {
  int found;

  process_state_lock(&state, forget);
  found = guarded;
  guarded = 1;
  process_state_unlock(&state);
  process_state_lock(&state, forget);
  process_state_unlock(&state);
  return found == 0 && guarded == 1 ? 0 : 1;
}

Test(process, a_child_gets_past_a_lock_that_a_thread_of_its_parent_holds) {
  pthread_t thread;

  (void)sem_init(&locked, 0, 0);
  (void)sem_init(&done, 0, 0);
  cr_assert_eq(pthread_create(&thread, NULL, hold, NULL), 0);
  while (sem_wait(&locked) != 0)
    continue;
  cr_assert_eq(status_of_child(begins_anew), 0);
  (void)sem_post(&done);
  cr_assert_eq(pthread_join(thread, NULL), 0);
  cr_assert_eq(guarded, 7, "the parent's stays as it was");
}
