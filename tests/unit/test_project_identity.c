/* test_project_identity.c - the identity of a project, which is made once.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "project_scene.h"

#include <sys/syscall.h>

#include "store/project_identity.h"

TestSuite(project_identity, .init = set_up, .fini = tear_down);

static void identify(unsigned char id[PROJECT_ID_SIZE]) {
  cr_assert_eq(project_identity(&project, id, &error), 0, "%s", error.text);
}

Test(project_identity, its_identity_is_made_once) {
  unsigned char first[PROJECT_ID_SIZE], second[PROJECT_ID_SIZE];

  open_project(false);
  cr_assert_eq(project_identity(&project, first, &error), -1, "there is no metrics folder yet");
  cr_assert_eq(open_agent(true), 0);
  cr_assert_eq(project_identity_look(&project, first, &error), 1);
  cr_assert_not(is_there(in_sandbox(".kaizen/metrics/.id")));
  identify(first);
  identify(second);
  cr_assert_arr_eq(first, second, PROJECT_ID_SIZE);
  memset(second, 0, sizeof second);
  cr_assert_eq(project_identity_look(&project, second, &error), 0, "%s", error.text);
  cr_assert_arr_eq(first, second, PROJECT_ID_SIZE);
}

Test(project_identity, a_copy_has_an_identity_of_its_own) {
  unsigned char original[PROJECT_ID_SIZE], copy[PROJECT_ID_SIZE];
  char *text;

  open_project(false);
  cr_assert_eq(open_agent(true), 0);
  identify(original);
  text = text_of_file(in_sandbox(".kaizen/metrics/.id"));
  project_close(&project);
  cr_assert_eq(rename(in_sandbox(".kaizen"), in_sandbox("kept")), 0);
  open_project(false);
  make_agent_folder("coach");
  put_file(in_sandbox(".kaizen/metrics/.id"), text);
  cr_assert_eq(project_identity_look(&project, copy, &error), 1);
  identify(copy);
  cr_assert(memcmp(original, copy, PROJECT_ID_SIZE) != 0);
  project_close(&project);

  /* moving is not copying */
  cr_assert_eq(nftw(in_sandbox(".kaizen"), sandbox_remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
  cr_assert_eq(rename(in_sandbox("kept"), in_sandbox(".kaizen")), 0);
  open_project(false);
  identify(copy);
  cr_assert_arr_eq(original, copy, PROJECT_ID_SIZE);
}

Test(project_identity, a_damaged_identity_is_made_anew) {
  static const char *const damages[] = {"", "garbage\n", "00000000-0000-4000-8000-000000000000",
                                        "00000000-0000-4000-8000-000000000000 inode 1 born 1\n",
                                        "xxxxxxxx-0000-4000-8000-000000000000 inode 1 born 1\n"};
  unsigned char first[PROJECT_ID_SIZE], second[PROJECT_ID_SIZE];

  open_project(false);
  cr_assert_eq(open_agent(true), 0);
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
    put_file(in_sandbox(".kaizen/metrics/.id"), damages[i]);
    identify(first);
    identify(second);
    cr_expect_arr_eq(first, second, PROJECT_ID_SIZE, "%s", damages[i]);
  }
}

Test(project_identity, processes_that_begin_together_agree_on_one_identity) {
  enum { PROCESSES = 8 };
  unsigned char ids[PROCESSES][PROJECT_ID_SIZE];
  int ends[2];

  open_project(false);
  cr_assert_eq(open_agent(true), 0);
  cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
  for (int i = 0; i < PROCESSES; i++)
    if (fork() == 0) {
      unsigned char id[PROJECT_ID_SIZE] = {0};

      _exit(project_identity(&project, id, &error) == 0 &&
                    write(ends[1], id, sizeof id) == (ssize_t)sizeof id
                ? 0
                : 1);
    }
  for (int i = 0; i < PROCESSES; i++) {
    int status;

    cr_assert_gt(wait(&status), 0);
    cr_assert_eq(status, 0);
    cr_assert_eq(read(ends[0], ids[i], PROJECT_ID_SIZE), PROJECT_ID_SIZE);
    cr_assert_arr_eq(ids[i], ids[0], PROJECT_ID_SIZE);
  }
  (void)close(ends[0]);
  (void)close(ends[1]);
}

Test(project_identity,
     an_identity_that_a_child_of_a_killed_process_keeps_locked_is_made_all_the_same) {
  unsigned char first[PROJECT_ID_SIZE], second[PROJECT_ID_SIZE];
  pid_t child;

  open_project(false);
  cr_assert_eq(open_agent(true), 0);
  put_file(in_sandbox(".kaizen/metrics/.id"), "");
  child = legacy_lock_leave(in_sandbox(".kaizen/metrics/.id"), O_CLOEXEC);
  identify(first);
  identify(second);
  cr_assert_arr_eq(first, second, PROJECT_ID_SIZE);
  (void)kill(child, SIGKILL);
}

/* In the place of libc's: a fork while the identity is written. */
static pid_t forked;

int ftruncate(int fd, off_t size) {
  if (forked == -1 && (forked = fork()) == 0)
    for (;;)
      (void)pause();
  return (int)syscall(SYS_ftruncate, fd, size);
}

Test(project_identity, a_child_that_was_forked_meanwhile_keeps_no_lock_on_the_identity) {
  unsigned char id[PROJECT_ID_SIZE];
  int fd;

  open_project(false);
  cr_assert_eq(open_agent(true), 0);
  forked = -1;
  identify(id);
  cr_assert_gt(forked, 0);
  fd = open(in_sandbox(".kaizen/metrics/.id"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
  (void)close(fd);
  (void)kill(forked, SIGKILL);
}
