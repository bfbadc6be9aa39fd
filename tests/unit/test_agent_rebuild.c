/* test_agent_rebuild.c - what is kept of an agent's fold and keys, and how they are made again:
 * after a kill, by two at once, and where the index was damaged.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "agent_scene.h"

#include <sys/wait.h>

TestSuite(agent_rebuild, .init = set_up, .fini = tear_down);

static uint64_t bytes_read(void) {
  uint64_t count = 0;
  FILE *file = fopen("/proc/self/io", "re");

  cr_assert(file && fscanf(file, "rchar: %" SCNu64, &count) == 1);
  (void)fclose(file);
  return count;
}

Test(agent_rebuild, a_cold_start_does_not_read_the_log_again) {
  uint64_t before;

  put_many_lines(50000);
  look();
  agent_close(&agent);
  before = bytes_read();
  cr_assert_eq(acquire(), 0);
  cr_assert_eq(agent.fold.execution_count, 50000);
  cr_assert_eq(find("k49999"), 1);
  cr_assert_eq(find("k1"), 1);
  cr_assert_eq(find("k50000"), 0);
  agent_release(&agent);
  cr_assert_lt(bytes_read() - before, 64 * 1024);
}

Test(agent_rebuild, what_was_folded_since_the_checkpoint_is_folded_again_after_a_kill) {
  pid_t child;
  int status;

  put_log(KEYED("a"));
  look();
  agent_close(&agent);
  append_to_file(file(), KEYED("b") GOOD);
  child = fork();
  if (child == 0) { /* folds, and ends without storing anything */
    if (acquire() != 0)
      _exit(1);
    _exit(agent.fold.execution_count == 3 ? 0 : 2);
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert_eq(status, 0);
  cr_assert_eq(acquire(), 0);
  expect_fold("again", 3, 3, 0);
  cr_assert_eq(find("b"), 1);
  agent_release(&agent);
}

static uint64_t seen_by(const struct project *who) {
  struct log_anchor anchor;
  struct fold fold;
  int fd;

  cr_assert_eq(project_agent_folder(who, "coach", false, &fd, &error), 0, "%s", error.text);
  cr_assert_eq(checkpoint_peek(fd, who, &anchor, &fold, &error), 0, "%s", error.text);
  (void)close(fd);
  return fold.execution_count;
}

/* So many keys that they are not read in one piece: there is a turn between two. The table has room
 * for them from the beginning, because what is durable of it is lost when it grows. */
Test(agent_rebuild, what_a_killed_rebuild_has_made_durable_is_there_for_the_next) {
  struct checkpoint_growth growth;
  struct project later;
  pid_t child;
  int status;

  cr_assert_eq(acquire(), 0, "%s", error.text);
  cr_assert_eq(checkpoint_growth_begin(&agent.checkpoint, 14, &growth, &error), 0);
  cr_assert_eq(checkpoint_growth_fill(&agent.checkpoint, &growth, &error), 0);
  cr_assert_eq(checkpoint_growth_end(&agent.checkpoint, &growth, &error), 0);
  agent_release(&agent);
  agent_close_files(&agent);
  put_many_lines(270000);
  child = fork();
  if (child == 0)
    _exit(acquire() == 0 && agent.fold.execution_count == 270000 ? 0 : 1);
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert_eq(status, 0);
  cr_assert_eq(project_open(&later, sandbox.root, false, false, &error), 0, "%s", error.text);
  cr_assert_gt(seen_by(&later), 0);
  project_close(&later);
}

Test(agent_rebuild, a_rebuild_that_was_killed_goes_on_where_it_was) {
  struct project later;
  pid_t child;
  int status;

  put_many_lines(50000);
  child = fork();
  if (child == 0) /* killed before it could store the end */
    _exit(acquire() == 0 && agent.fold.execution_count == 50000 ? 0 : 1);
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert_eq(status, 0);
  cr_assert_geq(seen_by(&project), 50000 - 1024, "one who shares its life");
  cr_assert_eq(project_open(&later, sandbox.root, false, false, &error), 0, "%s", error.text);
  agent_init(&agent, &later, "coach");
  look();
  cr_assert_eq(agent.fold.execution_count, 50000);
  cr_assert_eq(agent.rebuilt, 0, "it began at the first line again");
  agent_close(&agent);
  project_close(&later);
}

/* Is the lock available while another process, which has begun, has not come to the end? */
static bool lock_is_let_go(int done) {
  struct agent_lock lock;
  bool between = false;
  char byte;
  int fd;

  cr_assert_eq(project_agent_folder(&project, "coach", false, &fd, &error), 0, "%s", error.text);
  cr_assert_eq(agent_lock_open(&lock, fd, &error), 0, "%s", error.text);
  while (!between && read(done, &byte, 1) < 0) {
    cr_assert_eq(errno, EAGAIN);
    cr_assert_eq(agent_lock_exclusive(&lock, in_ms(60000), &error), 0, "%s", error.text);
    between = is_there(agent_file("coach", CHECKPOINT_FILE)) && read(done, &byte, 1) < 0;
    agent_lock_release(&lock);
  }
  agent_lock_close(&lock);
  (void)close(fd);
  return between;
}

static bool is_let_go_by_another_that_folds(void) {
  int done[2], status;
  bool let_go;
  pid_t child;

  cr_assert_eq(pipe2(done, O_CLOEXEC | O_NONBLOCK), 0);
  child = fork();
  if (child == 0) { /* says so before it lets go */
    bool right = acquire() == 0 && agent.fold.execution_count == 130000 && find("k129999") == 1;

    _exit(write(done[1], "", 1) == 1 && right ? 0 : 1);
  }
  (void)close(done[1]);
  let_go = lock_is_let_go(done[0]);
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert_eq(status, 0);
  (void)close(done[0]);
  return let_go;
}

/* On a machine that is busy this process may get no processor before the other has come to its end:
 * then once more. */
Test(agent_rebuild, the_lock_is_let_go_while_much_is_folded) {
  bool let_go = false;

  put_many_lines(130000);
  for (int tries = 0; !let_go && tries < 20; tries++) {
    (void)unlink(agent_file("coach", CHECKPOINT_FILE));
    let_go = is_let_go_by_another_that_folds();
  }
  cr_assert(let_go);
}

Test(agent_rebuild, two_processes_that_fold_much_at_once_come_to_the_same_end) {
  pid_t children[2];
  int status;

  put_many_lines(60000);
  for (int i = 0; i < 2; i++) {
    children[i] = fork();
    if (children[i] == 0)
      _exit(acquire() == 0 && agent.fold.execution_count == 60000 && find("k0") == 1 &&
                    find("k30000") == 1 && find("k59999") == 1 && find("k60000") == 0
                ? 0
                : 1);
  }
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
    cr_assert_eq(status, 0, "process %d", i);
  }
  cr_assert_eq(acquire(), 0, "%s", error.text);
  expect_fold("afterwards", 60000, 60000, 0);
  for (unsigned i = 0; i < 60000; i += 997) {
    char key[16];

    (void)snprintf(key, sizeof key, "k%u", i);
    cr_assert_eq(find(key), 1, "%s", key);
  }
  agent_release(&agent);
}

static void log_many_keys(unsigned from, unsigned to) {
  FILE *out = fopen(file(), "ae");

  cr_assert(out);
  for (unsigned i = from; i < to; i++)
    (void)fprintf(out, "{\"agent\":\"coach\",\"success\":true,\"idempotency_key\":\"k%u\"}\n", i);
  cr_assert_eq(fclose(out), 0);
}

Test(agent_rebuild, after_a_stop_nothing_is_folded_again_by_whoever_comes_later) {
  struct project later;

  cr_assert_eq(project_open(&later, sandbox.root, false, false, &error), 0, "%s", error.text);
  put_many_lines(1000);
  look();
  agent_settle(&agent);
  cr_assert_eq(seen_by(&later), 1000);
  /* little more is not worth another sync */
  log_many_keys(1000, 1001);
  look();
  agent_settle(&agent);
  agent_close(&agent);
  cr_assert_eq(seen_by(&later), 1000);
  cr_assert_eq(seen_by(&project), 1001, "it has kept the file system mounted");
  project_close(&later);
}

Test(agent_rebuild, a_removed_or_damaged_checkpoint_is_made_anew) {
  static const struct {
    const char *name;
    int (*harm)(const char *path);
  } cases[] = {{"removed", unlink}, {"damaged", NULL}};

  for (size_t i = 0; i < 2; i++) {
    put_log(KEYED("a") GOOD);
    look();
    agent_close(&agent);
    if (cases[i].harm)
      cr_assert_eq(cases[i].harm(agent_file("coach", CHECKPOINT_FILE)), 0);
    else
      put_bytes(agent_file("coach", CHECKPOINT_FILE), 0, "damage", 6);
    cr_assert_eq(acquire(), 0, "%s: %s", cases[i].name, error.text);
    expect_fold(cases[i].name, 2, 2, 0);
    cr_assert_eq(find("a"), 1, "%s", cases[i].name);
    agent_release(&agent);
  }
}

Test(agent_rebuild, damaged_keys_of_a_live_checkpoint_are_found_out_at_the_first_look) {
  put_log(KEYED("a") GOOD);
  look();
  damage_keys();
  cr_assert_eq(acquire(), 0);
  cr_assert_eq(find("a"), -1);
  cr_assert_not(agent.loaded);
  cr_assert_eq(agent_fold_refresh(&agent, &error), 0, "%s", error.text);
  cr_assert_eq(find("a"), 1);
  agent_release(&agent);
  expect_fold("rebuilt", 2, 2, 0);
}

Test(agent_rebuild, damaged_keys_do_not_stop_catching_up) {
  put_log(KEYED("a"));
  look();
  damage_keys();
  append_to_file(file(), KEYED("b"));
  cr_assert_eq(acquire(), 0, "%s", error.text);
  cr_assert_eq(error.code, 0, "%s", error.text);
  expect_fold("caught up", 2, 2, 0);
  cr_assert_eq(find("a"), 1);
  cr_assert_eq(find("b"), 1);
  agent_release(&agent);
}

Test(agent_rebuild, a_checkpoint_cut_under_a_live_agent_is_made_anew) {
  put_log(KEYED("a"));
  look();
  cr_assert_eq(truncate(agent_file("coach", CHECKPOINT_FILE), 0), 0);
  append_to_file(file(), KEYED("b"));
  cr_assert_eq(acquire(), 0, "%s", error.text);
  cr_assert_eq(find("a"), 1);
  agent_release(&agent);
}

Test(agent_rebuild, without_entropy_more_keys_than_a_page_holds_are_kept) {
  memset(project.life, 0, sizeof project.life);
  put_many_lines(3000);
  cr_assert_eq(acquire(), 0, "%s", error.text);
  cr_assert_eq(find("k0"), 1);
  cr_assert_eq(find("k2999"), 1);
  agent_release(&agent);
}
