/* test_agent.c - what an agent's files add up to, whichever program wrote them; its keys; its lock.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "agent_scene.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

TestSuite(agent, .init = set_up, .fini = tear_down);

/* Zeros over `len` bytes of the log. */
static void blot_out(off_t offset, size_t len) {
  static const char zeros[4096];
  int fd = open(file(), O_WRONLY | O_CLOEXEC);

  cr_assert_eq(pwrite(fd, zeros, len, offset), (ssize_t)len);
  (void)close(fd);
}

/* Lines of others. */

Test(agent, a_folder_is_made_private_with_its_first_use) {
  struct stat status;

  look();
  expect_fold("new", 0, 0, 0);
  cr_assert_eq(stat(in_sandbox(".kaizen/metrics/coach"), &status), 0);
  cr_assert_eq(status.st_mode & 07777, 0700);
}

Test(agent, lines_of_others_are_folded_when_they_are_met) {
  put_log(GOOD BAD);
  look();
  expect_fold("at first", 2, 1, 0);
  append_to_file(file(), GOOD);
  look();
  expect_fold("appended", 3, 2, 0);
}

Test(agent, foreign_lines_of_every_kind_add_up_as_the_contract_says) {
  static const struct {
    const char *name, *log;
    uint64_t records, successes, skipped;
    size_t log_len; /* 0: its text */
  } cases[] = {
      {"blank lines", "\n\n" GOOD " \t\r\n" GOOD, 2, 2, 0, 0},
      {"carriage returns", "{\"agent\":\"c\",\"success\":true}\r\n", 1, 1, 0, 0},
      {"garbage", "garbage\n" GOOD "{\n}\n[1]\n7\n", 1, 1, 5, 0},
      {"a record without success", "{\"agent\":\"c\"}\n" GOOD, 1, 1, 1, 0},
      {"a success that is text", "{\"agent\":\"c\",\"success\":\"true\"}\n", 0, 0, 1, 0},
      {"unknown members", "{\"agent\":\"c\",\"success\":true,\"x\":[{}]}\n", 1, 1, 0, 0},
      {"a name twice: the last wins", "{\"agent\":\"c\",\"success\":true,\"success\":false}\n", 1,
       0, 0, 0},
      {"an unreadable timestamp", "{\"timestamp\":7,\"agent\":\"c\",\"success\":true}\n", 1, 1, 0,
       0},
      {"a byte order mark", "\xEF\xBB\xBF" GOOD GOOD, 1, 1, 1, 0},
      {"a run of NUL bytes", GOOD "\0\0\0\0\n" BAD, 2, 1, 1, sizeof(GOOD "\0\0\0\0\n" BAD) - 1},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    make_agent_folder("coach");
    put_bytes(file(), O_TRUNC, cases[i].log,
              cases[i].log_len ? cases[i].log_len : strlen(cases[i].log));
    look();
    expect_fold(cases[i].name, cases[i].records, cases[i].successes, cases[i].skipped);
  }
}

Test(agent, a_torn_tail_costs_itself_and_never_the_next_line) {
  put_log(GOOD "{\"agent\":\"coach\",\"succ");
  look();
  expect_fold("torn", 1, 1, 1);
  cr_assert_str_eq(text_of_file(file()), GOOD "{\"agent\":\"coach\",\"succ\n");
  append_to_file(file(), BAD);
  look();
  expect_fold("after it", 2, 1, 1);
}

Test(agent, a_torn_tail_that_lacks_only_its_newline_is_a_record) {
  put_log(GOOD "{\"agent\":\"coach\",\"success\":false,\"idempotency_key\":\"k\"}");
  cr_assert_eq(acquire(), 0);
  expect_fold("without newline", 2, 1, 0);
  cr_assert_eq(find("k"), 1);
  agent_release(&agent);
}

Test(agent, a_tail_of_nul_bytes_is_passed_over) {
  static const char zeros[5000];

  put_log(GOOD);
  put_bytes(file(), O_APPEND, zeros, sizeof zeros);
  look();
  expect_fold("zeros", 1, 1, 1);
  append_to_file(file(), BAD);
  look();
  expect_fold("after zeros", 2, 1, 1);
}

Test(agent, a_line_of_three_megabytes_is_passed_over_also_as_the_last) {
  size_t len = 3 << 20;
  char *text = line_of_length(len);

  text[len - 1] = 'x';
  put_log(GOOD);
  append_to_file(file(), text);
  look();
  expect_fold("torn", 1, 1, 1);
  append_to_file(file(), BAD);
  look();
  expect_fold("after it", 2, 1, 1);
  agent_close(&agent);
  look();
  expect_fold("opened again", 2, 1, 1);
}

Test(agent, skipped_lines_are_counted_once_each_time_they_are_met) {
  put_log("garbage\n" GOOD);
  look();
  cr_assert_eq(agent.skipped, 1);
  look();
  cr_assert_eq(agent.skipped, 1);
  append_to_file(file(), "more\n");
  look();
  cr_assert_eq(agent.skipped, 2);
}

/* Keys. */

Test(agent, keys_of_others_are_found_at_their_first_line) {
  struct buffer line = {0};
  uint64_t offset = 7;

  put_log(GOOD KEYED("one") KEYED("two") KEYED("one"));
  cr_assert_eq(acquire(), 0);
  cr_assert_eq(agent_find_key(&agent, (struct span){"one", 3}, &line, &offset, &error), 1);
  cr_assert_eq(offset, strlen(GOOD));
  cr_assert_eq(line.len, strlen(KEYED("one")) - 1);
  cr_assert_eq(find("two"), 1);
  cr_assert_eq(find("three"), 0);
  agent_release(&agent);
  buffer_fini(&line);
}

Test(agent, a_key_is_compared_as_decoded_bytes_also_in_metadata) {
  put_log("{\"agent\":\"c\",\"success\":true,\"idempotency_key\":\"\\u006b1\"}\n"
          "{\"agent\":\"c\",\"success\":true,\"metadata\":{\"idempotency_key\":\"k2\"}}\n"
          "{\"agent\":\"c\",\"success\":true,\"idempotency_key\":\"top\","
          "\"metadata\":{\"idempotency_key\":\"below\"}}\n"
          "not a record: \"idempotency_key\":\"k3\"\n");
  cr_assert_eq(acquire(), 0);
  cr_assert_eq(find("k1"), 1);
  cr_assert_eq(find("k2"), 1);
  cr_assert_eq(find("top"), 1);
  cr_assert_eq(find("below"), 0);
  cr_assert_eq(find("k3"), 0);
  cr_assert_eq(find("\\u006b1"), 0);
  agent_release(&agent);
}

Test(agent, a_key_leaves_with_its_line) {
  put_log(KEYED("one") KEYED("two"));
  look();
  put_log(KEYED("two"));
  cr_assert_eq(acquire(), 0);
  cr_assert_eq(find("one"), 0);
  cr_assert_eq(find("two"), 1);
  agent_release(&agent);
}

Test(agent, a_key_whose_line_is_no_longer_one_is_not_known) {
  put_log(GOOD KEYED("one") KEYED("two"));
  look();
  /* what a loss of power leaves of bytes that were never synced: the index may have been */
  blot_out(sizeof GOOD - 1, sizeof KEYED("one") - 1);
  cr_assert_eq(acquire(), 0);
  cr_assert_eq(find("one"), 0);
  cr_assert_eq(find("two"), 0);
  agent_release(&agent);
}

/* The lock. */

Test(agent, a_lock_that_others_hold_is_waited_for_until_the_deadline) {
  int fd;

  look();
  fd = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(fd, LOCK_EX), 0);
  cr_assert_eq(agent_fold_acquire(&agent, in_ms(30), &error), 1);
  cr_assert_eq(agent_fold_acquire(&agent, 0, &error), 1);
  cr_assert_eq(flock(fd, LOCK_SH), 0);
  cr_assert_eq(agent_fold_acquire(&agent, in_ms(30), &error), 1, "a reader holds it");
  cr_assert_eq(flock(fd, LOCK_UN), 0);
  cr_assert_eq(agent_fold_acquire(&agent, 0, &error), 0, "%s", error.text);
  agent_release(&agent);
  (void)close(fd);
}

Test(agent, a_held_turnstile_keeps_writers_back_and_is_given_free_again) {
  int fd;

  look();
  fd = open(agent_file("coach", ".next"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(fd, LOCK_EX), 0);
  agent.lock.passed_ns = 0;
  cr_assert_eq(agent_fold_acquire(&agent, in_ms(30), &error), 1);
  cr_assert_eq(flock(fd, LOCK_UN), 0);
  look();
  cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0, "the agent kept the turnstile");
  (void)close(fd);
}

Test(agent, who_just_passed_the_turnstile_takes_a_free_lock_beside_it) {
  int next_fd, lock_fd;

  look();
  next_fd = open(agent_file("coach", ".next"), O_RDWR | O_CLOEXEC);
  lock_fd = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(next_fd, LOCK_EX), 0);
  agent.lock.passed_ns = in_ms(1000); /* this very moment, however slow the machine is */
  cr_assert_eq(agent_fold_acquire(&agent, 0, &error), 0, "%s", error.text);
  agent_release(&agent);
  cr_assert_eq(flock(lock_fd, LOCK_EX), 0);
  cr_assert_eq(agent_fold_acquire(&agent, 0, &error), 1,
               "a lock that is held is waited for in turn");
  (void)close(next_fd);
  (void)close(lock_fd);
}

Test(agent, a_child_forked_under_the_lock_does_not_keep_it) {
  int ends[2], fd;
  pid_t child;
  char byte = 'x';

  cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
  cr_assert_eq(acquire(), 0);
  child = fork();
  if (child == 0) {
    (void)close(ends[1]);
    _exit((int)read(ends[0], &byte, 1)); /* until the parent lets go of its end */
  }
  agent_release(&agent);
  fd = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
  (void)close(fd);
  (void)close(ends[1]);
  cr_assert_eq(waitpid(child, NULL, 0), child);
  (void)close(ends[0]);
}

/* ---- a program without the lock, which appends all the time ---------------------------------- */

enum { BLOCK_LINES = 2000, BLOCKS_MAX = 10000 }; /* 1.4 GB: it stops by itself if nobody kills it */

static pid_t begin_to_append(void) {
  size_t line = strlen(GOOD), len = BLOCK_LINES * line;
  int fd = open(file(), O_WRONLY | O_APPEND);
  char *block = malloc(len);
  pid_t child;

  for (size_t at = 0; at < len; at += line)
    memcpy(block + at, GOOD, line);
  cr_assert(fd >= 0 && block);
  child = fork();
  if (child == 0) {
    for (int i = 0; i < BLOCKS_MAX; i++)
      if (write(fd, block, len) != (ssize_t)len)
        break;
    _exit(0);
  }
  free(block);
  (void)close(fd);
  cr_assert(child > 0);
  return child;
}

Test(agent, one_who_appends_without_a_pause_holds_no_call) {
  struct agent other;
  struct error why = {0};
  pid_t child;
  int result, status;

  put_log(GOOD);
  look();
  child = begin_to_append();
  while (size_of_file(file()) < 1000000)
    ;
  result = agent_fold_acquire(&agent, in_ms(200), &error);
  if (result == 0)
    agent_release(&agent);
  cr_assert_eq(waitpid(child, &status, WNOHANG), 0, "it went on until the other was done");
  cr_assert(result == 0 || (result == -1 && error.code == KAIZEN_E_BUSY), "%s", error.text);
  agent_init(&other, &project, "coach"); /* what was folded until then is not lost */
  result = agent_fold_acquire(&other, in_ms(0), &why);
  cr_assert(result == 0 || result == -1, "the lock was kept");
  if (result == 0)
    agent_release(&other);
  agent_close(&other);
  (void)kill(child, SIGKILL);
  cr_assert_eq(waitpid(child, &status, 0), child);
  look();
}
