/* test_agent_replaced.c - logs and folders that others replace, rewrite, cut or remove.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "agent_scene.h"

#include <signal.h>
#include <sys/wait.h>

TestSuite(agent_replaced, .init = set_up, .fini = tear_down);

Test(agent_replaced, a_log_that_was_rewritten_is_not_taken_for_what_was_durable) {
  struct project later;

  cr_assert_eq(project_open(&later, sandbox.root, false, false, &error), 0, "%s", error.text);
  put_many_lines(1000);
  look();
  agent_settle(&agent);
  agent_close(&agent);
  put_file(in_sandbox("other"), KEYED("new"));
  cr_assert_eq(rename(in_sandbox("other"), file()), 0);
  agent_init(&agent, &later, "coach");
  cr_assert_eq(acquire(), 0, "%s", error.text);
  expect_fold("rewritten", 1, 1, 0);
  cr_assert_eq(find("k7"), 0);
  cr_assert_eq(find("new"), 1);
  cr_assert_eq(agent.rewrites, 1);
  agent_release(&agent);
  agent_close(&agent);
  project_close(&later);
}

Test(agent_replaced, a_log_replaced_by_rename_is_read_anew) {
  put_log(GOOD GOOD GOOD KEYED("gone"));
  look();
  put_file(in_sandbox("pruned"), BAD KEYED("kept"));
  cr_assert_eq(rename(in_sandbox("pruned"), file()), 0);
  cr_assert_eq(acquire(), 0);
  expect_fold("replaced", 2, 1, 0);
  cr_assert_eq(find("gone"), 0);
  cr_assert_eq(find("kept"), 1);
  agent_release(&agent);
}

Test(agent_replaced, a_log_replaced_by_a_longer_one_with_the_same_inode_number_is_read_anew) {
  put_log(GOOD);
  look();
  put_log(BAD BAD BAD);
  look();
  expect_fold("longer", 3, 0, 0);
}

Test(agent_replaced, a_log_cut_in_place_is_read_anew) {
  put_log(GOOD GOOD KEYED("gone"));
  look();
  cr_assert_eq(truncate(file(), (off_t)strlen(GOOD)), 0);
  cr_assert_eq(acquire(), 0);
  expect_fold("cut", 1, 1, 0);
  cr_assert_eq(find("gone"), 0);
  agent_release(&agent);
  cr_assert_eq(truncate(file(), 0), 0);
  look();
  expect_fold("emptied", 0, 0, 0);
}

/* As a program without the lock does that empties the log, then writes over what came meanwhile,
 * but not to its end. */
static void rewrite_in_place_below_the_last_line(void) {
  static const char garbage[] = "{\"overwritten\": true     }\n";
  int fd;

  put_log(GOOD GOOD GOOD GOOD);
  look();
  cr_assert_eq(truncate(file(), 0), 0);
  look();
  fd = open(file(), O_RDWR | O_CLOEXEC);
  cr_assert_eq(write(fd, GOOD BAD KEYED("last"), strlen(GOOD BAD KEYED("last"))),
               (ssize_t)strlen(GOOD BAD KEYED("last")));
  look();
  expect_fold("appended meanwhile", 3, 2, 0);
  cr_assert_eq(pwrite(fd, garbage, strlen(garbage), 0), (ssize_t)strlen(garbage));
  (void)close(fd);
}

Test(agent_replaced,
     what_a_rewrite_in_place_destroyed_before_the_last_line_is_found_once_it_rests) {
  int64_t deadline_ns = in_ms(20000);

  rewrite_in_place_below_the_last_line();
  do
    look();
  while (agent.fold.execution_count == 3 && clock_monotonic_ns() < deadline_ns);
  expect_fold("second look", 2, 1, 2);
  cr_expect_eq(agent.rewrites, 2);
  cr_expect_eq(agent.records_before, 3);
  cr_expect_eq(agent.records_after, 2);
  cr_expect(agent.summary_stale);
}

Test(agent_replaced, what_a_rewrite_in_place_destroyed_is_found_by_whoever_opens_the_log_next) {
  rewrite_in_place_below_the_last_line();
  agent_close(&agent);
  look();
  expect_fold("opened again", 2, 1, 2);
}

/* A log of another inode under the name, as fast as that goes, until the process is ended. */
static void exchange_logs(int others) {
  for (int i = 0;; i = (i + 1) % others)
    (void)renameat2(AT_FDCWD, in_sandbox("other-%d", i), AT_FDCWD, file(), RENAME_EXCHANGE);
}

Test(agent_replaced, a_log_replaced_all_the_while_is_tried_until_the_deadline_and_then_busy) {
  enum { OTHERS = 16 };
  pid_t child;
  int result;

  put_many_lines(5000);
  for (int i = 0; i < OTHERS; i++)
    put_file(in_sandbox("other-%d", i), text_of_file(file()));
  child = fork();
  if (child == 0)
    exchange_logs(OTHERS);
  for (int i = 0; i < 5; i++) {
    error = (struct error){0};
    result = agent_fold_acquire(&agent, in_ms(300), &error);
    if (result == 0)
      agent_release(&agent);
    else
      cr_expect_eq(error.code, KAIZEN_E_BUSY, "%s", error.text);
  }
  cr_assert_eq(kill(child, SIGKILL), 0);
  cr_assert_eq(waitpid(child, NULL, 0), child);
  look();
  cr_expect_eq(agent.fold.execution_count, 5000);
}

Test(agent_replaced, a_log_rewritten_while_nobody_had_it_open_is_read_anew) {
  put_log(GOOD GOOD);
  look();
  agent_close(&agent);
  put_log(BAD GOOD);
  look();
  expect_fold("same length", 2, 1, 0);
}

Test(agent_replaced, a_log_rewritten_before_this_process_began_is_told) {
  static const struct {
    const char *what, *text;
    uint64_t rewrites, after;
  } cases[] = {{"emptied", "", 1, 0},
               {"cut", GOOD, 1, 1},
               {"other lines", BAD BAD BAD, 1, 3},
               {"longer", GOOD BAD GOOD GOOD, 0, 0},
               {"as it was", GOOD BAD GOOD, 0, 0}};

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    put_log(GOOD BAD GOOD);
    look();
    agent_close(&agent);
    project_close(&project);
    put_log(cases[i].text);
    cr_assert_eq(project_open(&project, sandbox.root, false, false, &error), 0, "%s", error.text);
    agent_init(&agent, &project, "coach");
    look();
    cr_expect_eq(agent.rewrites, cases[i].rewrites, "%s", cases[i].what);
    cr_expect_eq(agent.records_before, cases[i].rewrites ? 3 : 0, "%s", cases[i].what);
    cr_expect_eq(agent.records_after, cases[i].after, "%s", cases[i].what);
    agent_close(&agent);
    cr_assert_eq(unlink(agent_file("coach", CHECKPOINT_FILE)), 0);
  }
}

Test(agent_replaced, a_removed_log_begins_again) {
  put_log(GOOD KEYED("k"));
  look();
  cr_assert_eq(unlink(file()), 0);
  cr_assert_eq(acquire(), 0);
  expect_fold("removed", 0, 0, 0);
  cr_assert_eq(find("k"), 0);
  agent_release(&agent);
}

Test(agent_replaced, a_tree_cleaned_away_begins_again) {
  put_log(GOOD);
  look();
  cr_assert_eq(nftw(in_sandbox(".kaizen"), sandbox_remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
  look();
  expect_fold("cleaned", 0, 0, 0);
  append_to_file(file(), BAD);
  look();
  expect_fold("used again", 1, 0, 0);
}

Test(agent_replaced, a_removed_lock_is_not_trusted_any_more) {
  struct agent other;

  put_log(GOOD);
  look();
  cr_assert_eq(unlink(agent_file("coach", ".lock")), 0);
  agent_init(&other, &project, "coach");
  cr_assert_eq(agent_fold_acquire(&other, in_ms(2000), &error), 0);
  /* the other holds the new lock: with the old one both would write */
  cr_assert_eq(agent_fold_acquire(&agent, in_ms(20), &error), 1);
  agent_release(&other);
  look();
  agent_close(&other);
}
