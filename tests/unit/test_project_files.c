/* test_project_files.c - files below a folder: which are waited for, refused or out of reach.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "project_scene.h"

#include <grp.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/directory.h"

TestSuite(project_files, .init = set_up, .fini = tear_down);

/* In the place of libc's: while a user waits, root opens what another has just made to its group.
 */
static int told[2] = {-1, -1}, done[2];

/* What was made a moment ago stays that young. */
static struct timespec wall;

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, clock, now);

  if (clock == CLOCK_REALTIME && wall.tv_sec > 0)
    *now = wall;
  return result;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *pause,
                    struct timespec *rest) {
  char byte = 0;

  if (told[1] >= 0 && write(told[1], &byte, 1) == 1)
    (void)!read(done[0], &byte, 1);
  return (int)syscall(SYS_clock_nanosleep, clock, flags, pause, rest);
}

static void open_to_group_when_told(const char *path, mode_t mode) {
  cr_assert_eq(clock_gettime(CLOCK_REALTIME, &wall), 0);
  cr_assert(pipe(told) == 0 && pipe(done) == 0);
  if (fork() == 0) {
    char byte;

    _exit(read(told[0], &byte, 1) == 1 && chmod(path, mode) == 0 && write(done[1], &byte, 1) == 1
              ? 0
              : 1);
  }
  (void)close(done[1]);
}

static void become_member(gid_t group) {
  cr_assert(setgroups(0, NULL) == 0 && setegid(group) == 0 && seteuid(12345) == 0);
}

static void share_folders(uid_t owner, gid_t group) {
  static const char *const folders[] = {"", ".kaizen", ".kaizen/metrics"};

  make_folders(in_sandbox(".kaizen/metrics"));
  for (unsigned i = 0; i < 3; i++) {
    cr_assert_eq(chown(in_sandbox("%s", folders[i]), owner, group), 0);
    cr_assert_eq(chmod(in_sandbox("%s", folders[i]), 02770), 0);
  }
}

Test(project_files, a_file_that_another_of_the_group_has_just_made_is_waited_for) {
  int folder, fd;

  if (geteuid() != 0)
    cr_skip_test("only root can be another user");
  share_folders(NOBODY, NOBODY);
  folder = open(in_sandbox(".kaizen/metrics"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  open_to_group_when_told(in_sandbox(".kaizen/metrics/new"), 0660);
  become_member(NOBODY);
  cr_assert_eq(seteuid(0), 0);
  put_file(in_sandbox(".kaizen/metrics/new"), "");
  cr_assert_eq(chown(in_sandbox(".kaizen/metrics/new"), NOBODY, NOBODY), 0);
  cr_assert_eq(seteuid(12345), 0);
  cr_expect_eq(directory_open_file(folder, "new", O_RDWR | O_CREAT, &fd, &error), 0, "%s",
               error.text);
  cr_assert_eq(seteuid(0), 0);
}

Test(project_files, a_folder_that_another_of_the_group_has_just_made_is_waited_for) {
  if (geteuid() != 0)
    cr_skip_test("only root can be another user");
  share_folders(NOBODY, NOBODY);
  open_to_group_when_told(in_sandbox(".kaizen/metrics/coach"), 02770);
  become_member(NOBODY);
  cr_assert_eq(project_open_for_group(&project, sandbox.root, false, false, &error), 0, "%s",
               error.text);
  cr_assert_eq(seteuid(0), 0);
  make_agent_folder("coach");
  cr_assert_eq(chown(in_sandbox(".kaizen/metrics/coach"), NOBODY, NOBODY), 0);
  cr_assert_eq(chmod(in_sandbox(".kaizen/metrics/coach"), 0700), 0);
  cr_assert_eq(seteuid(12345), 0);
  cr_expect_eq(open_agent(true), 0, "%s", error.text);
  cr_assert_eq(seteuid(0), 0);
}

Test(project_files, a_file_of_another_user_is_refused) {
  int fd;

  if (geteuid() != 0)
    cr_skip_test("only root can give a file away");
  open_project(false);
  put_file(in_sandbox("theirs"), "");
  cr_assert_eq(chown(in_sandbox("theirs"), NOBODY, NOBODY), 0);
  must_refuse("another's", directory_open_file(project.root_fd, "theirs", O_RDWR, &fd, &error),
              "theirs", "belongs to user 65534");
}

static void reach_for_what_is_outside(void) {
  static const char *const paths[] = {"../outside", "inside/../../outside", "/etc/passwd",
                                      "link/file", "inside/link/file"};
  int folder, fd;

  make_folders(in_sandbox("root/inside"));
  put_file(in_sandbox("outside"), "");
  make_folders(in_sandbox("elsewhere"));
  put_file(in_sandbox("elsewhere/file"), "");
  cr_assert_eq(symlink("../elsewhere", in_sandbox("root/link")), 0);
  cr_assert_eq(symlink("../../elsewhere", in_sandbox("root/inside/link")), 0);
  folder = open(in_sandbox("root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    cr_expect_eq(directory_open_file(folder, paths[i], O_RDONLY, &fd, &error), -1, "%s", paths[i]);
  (void)close(folder);
}

Test(project_files, nothing_outside_a_folder_is_reached_from_it) {
  reach_for_what_is_outside();
}

Test(project_files, nothing_outside_a_folder_is_reached_on_older_kernels_either) {
  forbid_openat2(ENOSYS);
  reach_for_what_is_outside();
}
