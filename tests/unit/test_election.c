/* test_election.c - who publishes: a lock that was dropped, another copy of the library, a holder
 * that is gone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "project_sandbox.h"

#include <signal.h>
#include <sys/wait.h>

#include "publisher/election.h"

#define LOCK ".kaizen/metrics/.publisher.lock"

static struct election *election;
static pid_t holder;
static int metrics_fd;
static const char me, other;

static void set_up(void) {
  enter_project();
  cr_assert_eq(project_metrics_folder(&project, true, &metrics_fd, &error), 0, "%s", error.text);
  election = election_join(&project);
}

static void tear_down(void) {
  (void)close(metrics_fd);
  leave_project();
}

TestSuite(election, .init = set_up, .fini = tear_down);

static int stand(const void *who) {
  return election_stand(election, metrics_fd, who, &holder, &error);
}

/* What any program does that copies or indexes the project. */
static void close_a_descriptor_of_the_file(void) {
  (void)close(open(in_sandbox(LOCK), O_RDONLY | O_CLOEXEC));
}

/* Another process stands for election: its answer. */
static int elsewhere(pid_t *child) {
  int ends[2], answer = -1;

  cr_assert_eq(pipe(ends), 0);
  *child = fork();
  if (*child == 0) {
    election = election_join(&project);
    answer = stand(&me);
    (void)!write(ends[1], &answer, sizeof answer);
    for (;;)
      (void)pause();
  }
  cr_assert_eq(read(ends[0], &answer, sizeof answer), (ssize_t)sizeof answer);
  (void)close(ends[0]);
  (void)close(ends[1]);
  return answer;
}

static void end(pid_t child) {
  (void)kill(child, SIGKILL);
  (void)waitpid(child, NULL, 0);
}

Test(election, a_lock_that_was_dropped_is_taken_again_when_it_is_free) {
  pid_t child;

  cr_assert_eq(stand(&me), 0, "%s", error.text);
  close_a_descriptor_of_the_file();
  cr_expect(election_assert(election, &me));
  cr_expect_eq(elsewhere(&child), 1, "it is held again");
  end(child);
}

/* A host that closes what it did not open, and then opens a file of its own under that number. */
Test(election, a_file_of_the_host_that_took_the_number_of_the_lock_is_left_as_it_is) {
  int own, fd = -1;
  struct stat named, held;

  cr_assert_eq(stand(&me), 0, "%s", error.text);
  put_file(in_sandbox("of the host"), "the host's own\n");
  cr_assert_eq(stat(in_sandbox(LOCK), &named), 0);
  own = open(in_sandbox("of the host"), O_RDWR | O_CLOEXEC);
  for (int i = 3; i < 256 && fd < 0; i++)
    if (fstat(i, &held) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev)
      fd = i;
  cr_assert_eq(dup2(own, fd), fd);
  cr_expect_not(election_assert(election, &me), "its lock went with the descriptor");
  election_resign(election, &me);
  cr_expect_eq(stand(&me), 0, "%s", error.text);
  cr_expect(election_assert(election, &me));
  election_leave(election, &me);
  cr_expect_str_eq(text_of_file(in_sandbox("of the host")), "the host's own\n");
  cr_expect_geq(fcntl(fd, F_GETFD), 0, "the host's file was closed");
}

Test(election, who_lost_a_dropped_lock_to_another_process_learns_it) {
  pid_t child;

  cr_assert_eq(stand(&me), 0);
  close_a_descriptor_of_the_file();
  cr_assert_eq(elsewhere(&child), 0, "it was free");
  cr_expect_not(election_assert(election, &me));
  cr_expect_eq(stand(&me), 1);
  cr_expect_eq(holder, child);
  end(child);
  cr_expect_eq(stand(&me), 0, "the other is gone");
  cr_expect(election_assert(election, &me));
}

Test(election, another_copy_of_the_library_in_this_process_is_left_alone) {
  char *name;
  pid_t child;

  cr_assert_eq(stand(&me), 0);
  name = text_of_file(in_sandbox(LOCK));
  cr_assert(strchr(name, '\n'), "'%s'", name);
  strchr(name, '\n')[-1] ^= 1; /* the same process, another number */
  put_file(in_sandbox(LOCK), name);
  cr_assert_eq(stand(&me), 1);
  cr_expect_eq(holder, getpid());
  cr_expect_not(election_assert(election, &me));
  election_resign(election, &me);
  cr_expect_str_eq(text_of_file(in_sandbox(LOCK)), name, "its name stays");
  cr_expect_eq(stand(&me), 1, "the lock is the process's again, after that look at the file");
  election_resign(election, &me);
  cr_expect_eq(elsewhere(&child), 1, "and stays so for the other copy");
  end(child);
}

Test(election, a_name_that_somebody_left_keeps_nobody_out) {
  put_file(in_sandbox(LOCK), "a-boot 1 2 3 00000000deadbeef\n");
  cr_expect_eq(stand(&me), 0, "%s", error.text);
  cr_expect(election_assert(election, &me));
}

Test(election, whoever_resigns_leaves_no_name) {
  pid_t child;

  cr_assert_eq(stand(&me), 0);
  election_resign(election, &me);
  cr_expect_str_eq(text_of_file(in_sandbox(LOCK)), "");
  cr_expect_eq(elsewhere(&child), 0);
  end(child);
}

Test(election, two_publishers_of_one_copy_take_turns) {
  cr_assert_eq(stand(&me), 0);
  cr_expect_eq(stand(&other), 1);
  cr_expect_not(election_assert(election, &other));
  cr_expect(election_assert(election, &me));
  election_resign(election, &me);
  cr_expect_eq(stand(&other), 0);
  cr_expect_not(election_assert(election, &me));
}
