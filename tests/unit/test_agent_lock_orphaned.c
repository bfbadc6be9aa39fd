/* test_agent_lock_orphaned.c - a lock that outlives who took it, and who comes then.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "agent_lock_scene.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

TestSuite(agent_lock_orphaned, .init = set_up, .fini = tear_down);

/* In the place of libc's: what happens just before the names of two files are changed, and a clock
 * that it moves. */
static void (*before_rename)(void);
static bool cannot_exchange;

static void meanwhile(void) {
  void (*happens)(void) = before_rename;

  before_rename = NULL;
  if (happens)
    happens();
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
  meanwhile();
  if (!cannot_exchange)
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
  errno = EINVAL;
  return -1;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
  meanwhile();
  return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

static int64_t later_s;

int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = (int)syscall(SYS_clock_gettime, clock, time);

  time->tv_sec += later_s;
  return result;
}

static pid_t leave_locked(const char *name, int flags) {
  return legacy_lock_leave(agent_file("coach", name), flags);
}

Test(agent_lock_orphaned, that_a_child_keeps_of_a_parent_that_was_killed_is_replaced) {
  static const char *const names[] = {".lock", ".next"};

  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    pid_t child = leave_locked(names[i], O_CLOEXEC);
    struct agent_lock late;

    cr_assert_eq(agent_lock_open(&late, folder, &error), 0);
    cr_assert_eq(agent_lock_exclusive(&writer, in_ms(60000), &error), 0, "%s", names[i]);
    cr_assert(agent_lock_in_place(&writer, folder), "%s", names[i]);
    cr_assert_eq(agent_lock_exclusive(&late, 0, &error), 1, "%s", names[i]);
    agent_lock_release(&writer);
    cr_assert_eq(agent_lock_exclusive(&late, in_ms(60000), &error), 0, "%s", names[i]);
    cr_assert(agent_lock_in_place(&late, folder), "%s", names[i]);
    agent_lock_release(&late);
    agent_lock_close(&late);
    (void)kill(child, SIGKILL);
  }
}

Test(agent_lock_orphaned, that_a_child_keeps_is_no_obstacle_to_a_reader_and_left_as_it_is) {
  static const char *const names[] = {".lock", ".next"};

  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    pid_t child = leave_locked(names[i], O_CLOEXEC);
    struct agent_lock reader;

    cr_assert_eq(agent_lock_read(&reader, folder, in_ms(60000), &error), 0, "%s: %s", names[i],
                 error.text);
    agent_lock_release(&reader);
    agent_lock_close(&reader);
    cr_assert_not(is_free(names[i]));
    (void)kill(child, SIGKILL);
    while (!is_free(names[i]))
      sched_yield();
  }
}

/* flock(1) takes a lock for the shell that called it, and ends. */
Test(agent_lock_orphaned, that_was_handed_on_is_waited_for) {
  pid_t child = leave_locked(".lock", 0);

  cr_assert_eq(agent_lock_exclusive(&writer, in_ms(300), &error), 1);
  cr_assert(agent_lock_in_place(&writer, folder));
  (void)kill(child, SIGKILL);
  cr_assert_eq(agent_lock_exclusive(&writer, in_ms(60000), &error), 0);
  agent_lock_release(&writer);
}

Test(agent_lock_orphaned, of_a_process_that_lives_is_waited_for_also_when_it_has_forked) {
  int told[2];
  pid_t taker;
  char byte;

  cr_assert_eq(pipe(told), 0);
  taker = fork();
  if (taker == 0) {
    (void)setpgid(0, 0);
    if (flock(open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC), LOCK_EX) != 0)
      _exit(1);
    if (fork() != 0)
      (void)!write(told[1], "", 1);
    for (;;)
      (void)pause();
  }
  cr_assert_eq(read(told[0], &byte, 1), 1);
  (void)close(told[0]);
  (void)close(told[1]);
  cr_assert_eq(agent_lock_exclusive(&writer, in_ms(300), &error), 1);
  cr_assert(agent_lock_in_place(&writer, folder));
  (void)kill(-taker, SIGKILL);
  cr_assert_eq(waitpid(taker, NULL, 0), taker);
}

static void *pause_forever(void *ctx) {
  for (;;)
    (void)pause();
  return ctx;
}

Test(agent_lock_orphaned, of_a_process_whose_first_thread_has_ended_is_waited_for) {
  pthread_t thread;
  pid_t taker;
  char state = '\0';

  taker = fork();
  if (taker == 0) {
    (void)setpgid(0, 0);
    if (flock(open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC), LOCK_EX) != 0 ||
        pthread_create(&thread, NULL, pause_forever, NULL) != 0)
      _exit(1);
    if (fork() == 0)
      (void)pause_forever(NULL);
    pthread_exit(NULL);
  }
  while (state != 'Z') { /* proc(5), /proc/PID/stat */
    char path[64], text[512] = "";
    int fd, pid;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)taker);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_gt(read(fd, text, sizeof text - 1), 0);
    (void)close(fd);
    cr_assert_eq(sscanf(text, "%d (%*[^)]) %c", &pid, &state), 2);
  }
  cr_assert_eq(agent_lock_exclusive(&writer, in_ms(300), &error), 1);
  cr_assert(agent_lock_in_place(&writer, folder));
  (void)kill(-taker, SIGKILL);
  cr_assert_eq(waitpid(taker, NULL, 0), taker);
}

/* In a pid namespace of its own, where the process that has the lock is not to be seen, but forks
 * of it are: 0 when the lock was waited for. */
static int ask_from_inside(void) {
  struct agent_lock late;
  pid_t child;
  int result;

  if (mount("proc", "/proc", "proc", 0, NULL) != 0)
    return 77;
  child = fork();
  if (child == 0)
    (void)pause_forever(NULL);
  if (child < 0 || agent_lock_open(&late, folder, &error) != 0)
    return 2;
  result = agent_lock_exclusive(&late, in_ms(300), &error) == 1 ? 0 : 1;
  (void)kill(child, SIGKILL);
  return result;
}

Test(agent_lock_orphaned, of_a_process_outside_the_pid_namespace_is_waited_for) {
  int lock = hold(".lock", LOCK_EX), status;
  pid_t first = fork(), inside;

  if (first == 0) {
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0 ||
        mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0)
      _exit(77);
    inside = fork();
    if (inside == 0)
      _exit(ask_from_inside());
    _exit(inside > 0 && waitpid(inside, &status, 0) == inside && WIFEXITED(status)
              ? WEXITSTATUS(status)
              : 3);
  }
  cr_assert_eq(waitpid(first, &status, 0), first);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    cr_skip_test("a pid namespace is unavailable");
  cr_assert(WIFEXITED(status));
  cr_assert_eq(WEXITSTATUS(status), 0);
  (void)close(lock);
}

/* ---- who comes while it is replaced ---------------------------------------------------------- */

static pid_t orphan;
static int other_fd = -1;

/* The child ends, and another process takes the old lock and sees its file in place. */
static void another_takes_the_old_one(void) {
  (void)kill(orphan, SIGKILL);
  while (!is_free(".lock"))
    sched_yield();
  other_fd = hold(".lock", LOCK_EX);
}

static void another_takes_the_old_one_and_time_is_over(void) {
  another_takes_the_old_one();
  later_s += 3600;
}

static ino_t inode_of(const char *name) {
  struct stat status;

  cr_assert_eq(stat(agent_file("coach", name), &status), 0, "%s", name);
  return status.st_ino;
}

static const bool ways[] = {false, true};

Test(agent_lock_orphaned, that_another_takes_before_it_is_replaced_is_left_to_it) {
  for (unsigned i = 0; i < 2; i++) {
    ino_t old = inode_of(".lock");

    cannot_exchange = ways[i];
    orphan = leave_locked(".lock", O_CLOEXEC);
    before_rename = another_takes_the_old_one_and_time_is_over;
    cr_assert_eq(agent_lock_exclusive(&writer, in_ms(60000), &error), 1);
    cr_assert_null(before_rename, "nobody came in between");
    cr_assert_eq(inode_of(".lock"), old, "who opens it now does not wait for its holder");
    cr_assert_not(is_there(agent_file("coach", ".lock.new")));
    cr_assert_not(is_free(".lock"));
    cr_assert(is_free(".next"));
    (void)close(other_fd);
    cr_assert_eq(agent_lock_exclusive(&writer, in_ms(60000), &error), 0, "%s", error.text);
    cr_assert(agent_lock_in_place(&writer, folder));
    agent_lock_release(&writer);
  }
}

static void *release_once_replaced(void *ctx) {
  (void)ctx;
  while (!is_there(agent_file("coach", ".lock.new")))
    sched_yield();
  (void)close(other_fd);
  return NULL;
}

static pthread_t releaser;

static void another_takes_the_old_one_for_a_moment(void) {
  another_takes_the_old_one();
  cr_assert_eq(pthread_create(&releaser, NULL, release_once_replaced, NULL), 0);
}

Test(agent_lock_orphaned, that_another_takes_before_it_is_replaced_is_waited_for) {
  for (unsigned i = 0; i < 2; i++) {
    struct agent_lock late;

    cannot_exchange = ways[i];
    orphan = leave_locked(".lock", O_CLOEXEC);
    cr_assert_eq(agent_lock_open(&late, folder, &error), 0); /* waits at the old file */
    before_rename = another_takes_the_old_one_for_a_moment;
    cr_assert_eq(agent_lock_exclusive(&writer, in_ms(60000), &error), 0, "%s", error.text);
    cr_assert_eq(pthread_join(releaser, NULL), 0);
    cr_assert(agent_lock_in_place(&writer, folder));
    cr_assert_not(is_free(".lock"));
    cr_assert_not(is_there(agent_file("coach", ".lock.new")));
    cr_assert(agent_lock_exclusive(&late, 0, &error) == 1 || !agent_lock_in_place(&late, folder));
    agent_lock_release(&late);
    agent_lock_close(&late);
    agent_lock_release(&writer);
  }
}

/* As a process leaves it that was killed between the exchange of the names and the end of its wait:
 * another works under the old file. */
static int leave_half_replaced(void) {
  cr_assert_eq(rename(agent_file("coach", ".lock"), agent_file("coach", ".lock.new")), 0);
  put_file(agent_file("coach", ".lock"), "");
  return hold(".lock.new", LOCK_EX);
}

Test(agent_lock_orphaned, that_was_half_replaced_is_believed_once_the_old_one_is_free) {
  struct agent_lock reader, late;
  int old_fd = leave_half_replaced();

  cr_assert_eq(agent_lock_open(&late, folder, &error), 0);
  cr_assert_eq(agent_lock_exclusive(&late, in_ms(50), &error), 1);
  cr_assert_eq(agent_lock_shared(&late, in_ms(50), &error), 1);
  cr_assert_eq(agent_lock_read(&reader, folder, in_ms(50), &error), -1);
  cr_assert_eq(error.code, KAIZEN_E_BUSY);
  (void)close(old_fd);
  cr_assert_eq(agent_lock_read(&reader, folder, in_ms(60000), &error), 0, "%s", error.text);
  cr_assert(is_there(agent_file("coach", ".lock.new")), "a reader removes nothing");
  agent_lock_release(&reader);
  agent_lock_close(&reader);
  cr_assert_eq(agent_lock_exclusive(&late, in_ms(60000), &error), 0, "%s", error.text);
  cr_assert(agent_lock_in_place(&late, folder));
  cr_assert_not(is_there(agent_file("coach", ".lock.new")));
  agent_lock_release(&late);
  agent_lock_close(&late);
}

Test(agent_lock_orphaned, that_lost_its_name_half_replaced_is_waited_for_by_a_reader) {
  struct agent_lock reader;
  int old_fd = leave_half_replaced();

  cr_assert_eq(unlink(agent_file("coach", ".lock")), 0);
  cr_assert_eq(agent_lock_read(&reader, folder, in_ms(50), &error), -1);
  cr_assert_eq(error.code, KAIZEN_E_BUSY);
  (void)close(old_fd);
  cr_assert_eq(agent_lock_read(&reader, folder, in_ms(60000), &error), 0, "%s", error.text);
  agent_lock_release(&reader);
  agent_lock_close(&reader);
}

Test(agent_lock_orphaned, is_replaced_also_after_one_who_was_killed_doing_it) {
  pid_t child = leave_locked(".lock", O_CLOEXEC), in_folder = leave_locked("", O_CLOEXEC);

  put_file(agent_file("coach", ".lock.new"), "");
  cr_assert_eq(agent_lock_exclusive(&writer, in_ms(60000), &error), 0, "%s", error.text);
  cr_assert(agent_lock_in_place(&writer, folder));
  cr_assert_not(is_there(agent_file("coach", ".lock.new")));
  agent_lock_release(&writer);
  (void)kill(child, SIGKILL);
  (void)kill(in_folder, SIGKILL);
}
