/* test_agent_descriptors.c - the open files of an agent, and what may stand in their place.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "agent_scene.h"

#include <sys/syscall.h>

TestSuite(agent_descriptors, .init = set_up, .fini = tear_down);

/* In the place of libc's.  Of a write that failed in the background the kernel tells each open file
 * description once: that of the agent's log, which has O_APPEND, and one that only reads. */
static bool failed_untold_to_log, failed_untold_to_others;

int fdatasync(int fd) {
  bool *untold = fcntl(fd, F_GETFL) & O_APPEND ? &failed_untold_to_log : &failed_untold_to_others;
  struct stat status;

  if (*untold && fstat(fd, &status) == 0 && status.st_ino == agent.log.inode) {
    *untold = false;
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_fdatasync, fd);
}

Test(agent_descriptors, a_point_of_the_index_takes_no_failed_sync_from_who_appended) {
  struct checkpoint_point point;

  put_log(GOOD GOOD);
  cr_assert_eq(acquire(), 0, "%s", error.text);
  agent_take_point(&agent, 1, &point);
  cr_assert_geq(point.log_fd, 0);
  failed_untold_to_log = failed_untold_to_others = true;
  cr_assert_eq(checkpoint_point_sync(&point), -1);
  cr_assert_eq(agent_sync_log(&agent, agent.anchor.end, &error), -1, "nobody told it");
  agent_release(&agent);
}

/* A host that closes what it did not open, and opens a file of its own under the same number. */
static const char *const host_text = "the host's own\n";

static int take_number(int fd) {
  int own;

  put_file(in_sandbox("of the host"), host_text);
  own = open(in_sandbox("of the host"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(dup2(own, fd), fd);
  (void)close(own);
  return fd;
}

static bool is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

Test(agent_descriptors, a_log_whose_descriptor_is_another_files_is_opened_again) {
  int fd;

  put_log(GOOD GOOD);
  look();
  fd = take_number(agent.log.fd);
  look();
  expect_fold("the log", 2, 2, 0);
  cr_expect_eq(agent.rewrites, 0);
  cr_assert_str_eq(text_of_file(in_sandbox("of the host")), host_text);
  cr_assert(is_open(fd));
  agent_close(&agent);
  cr_assert(is_open(fd), "the host's file was closed");
}

Test(agent_descriptors, files_of_a_host_that_closed_ours_are_neither_written_nor_closed) {
  int numbers[4];

  put_log(GOOD GOOD);
  look();
  numbers[0] = take_number(agent.log.fd);
  numbers[1] = take_number(agent.lock.lock_fd);
  numbers[2] = take_number(agent.lock.next_fd);
  numbers[3] = take_number(agent.checkpoint.pages.fd);
  look();
  expect_fold("the log", 2, 2, 0);
  cr_assert_str_eq(text_of_file(in_sandbox("of the host")), host_text);
  agent_close(&agent);
  for (unsigned i = 0; i < 4; i++)
    cr_assert(is_open(numbers[i]), "the host's file %u was closed", i);
}

Test(agent_descriptors, files_that_were_closed_by_the_host_are_opened_again) {
  put_log(GOOD);
  look();
  for (int fd = agent.project->root_fd + 1; fd < 64; fd++)
    if (fd == agent.log.fd || fd == agent.lock.lock_fd || fd == agent.lock.next_fd ||
        fd == agent.fd || fd == agent.checkpoint.pages.fd)
      (void)close(fd);
  append_to_file(file(), GOOD);
  look();
  expect_fold("the log", 2, 2, 0);
}

Test(agent_descriptors, closing_gives_every_descriptor_back) {
  unsigned before = open_descriptors();

  for (int i = 0; i < 20; i++) {
    put_log(GOOD KEYED("a"));
    look();
    cr_assert_eq(unlink(agent_file("coach", ".lock")), 0);
    look();
    damage_keys();
    cr_assert_eq(acquire(), 0);
    (void)find("a");
    agent_release(&agent);
    agent_close(&agent);
  }
  cr_assert_eq(open_descriptors(), before);
}

Test(agent_descriptors, what_is_no_regular_file_is_refused_by_name_and_opens_nothing) {
  static const char *const names[] = {".lock", ".next", AGENT_LOG_FILE, CHECKPOINT_FILE};
  unsigned before = open_descriptors();

  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    make_agent_folder("coach");
    (void)unlink(agent_file("coach", names[i]));
    put_file(in_sandbox("outside"), "outside\n");
    cr_assert_eq(symlink("../../../outside", agent_file("coach", names[i])), 0);
    cr_expect_eq(acquire(), -1, "%s: a link", names[i]);
    cr_expect(strstr(error.text, names[i]) && strstr(error.text, "symbolic link"), "%s: %s",
              names[i], error.text);
    (void)unlink(agent_file("coach", names[i]));

    cr_assert_eq(mkfifo(agent_file("coach", names[i]), 0600), 0);
    cr_expect_eq(acquire(), -1, "%s: a FIFO", names[i]);
    cr_expect(strstr(error.text, names[i]) && strstr(error.text, "not a regular file"), "%s: %s",
              names[i], error.text);
    (void)unlink(agent_file("coach", names[i]));

    cr_assert_eq(mkdir(agent_file("coach", names[i]), 0700), 0);
    cr_expect_eq(acquire(), -1, "%s: a folder", names[i]);
    cr_expect(strstr(error.text, names[i]), "%s: %s", names[i], error.text);
    (void)rmdir(agent_file("coach", names[i]));

    cr_assert_eq(link(in_sandbox("outside"), agent_file("coach", names[i])), 0);
    cr_expect_eq(acquire(), -1, "%s: a hard link", names[i]);
    cr_expect(strstr(error.text, names[i]) && strstr(error.text, "hard links"), "%s: %s", names[i],
              error.text);
    (void)unlink(agent_file("coach", names[i]));

    cr_expect_str_eq(text_of_file(in_sandbox("outside")), "outside\n", "%s", names[i]);
    cr_expect_eq(error.code, KAIZEN_E_IO, "%s", names[i]);
    agent_close(&agent);
    look();
    agent_close(&agent);
  }
  cr_assert_eq(open_descriptors(), before);
}
