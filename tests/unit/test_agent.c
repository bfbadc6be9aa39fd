/* test_agent.c - what an agent's files add up to, however they were written, damaged, removed or
 * replaced.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <inttypes.h>
#include <kaizen/plugin.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "store/agent.h"
#include "store/agent_fold.h"

#define GOOD "{\"timestamp\":\"2026-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":true}\n"
#define BAD "{\"timestamp\":\"2026-01-01T00:00:01Z\",\"agent\":\"coach\",\"success\":false}\n"
#define KEYED(key)                                                                                 \
  "{\"timestamp\":\"2026-01-01T00:00:02Z\",\"agent\":\"coach\",\"success\":true,"                  \
  "\"idempotency_key\":\"" key "\"}\n"

static struct project project;
static struct agent agent;
static struct error error;

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

static void set_up(void) {
  sandbox_enter();
  cr_assert_eq(project_open(&project, sandbox.root, false, false, &error), 0, "%s", error.text);
  agent_init(&agent, &project, "coach");
}

static void tear_down(void) {
  agent_close(&agent);
  project_close(&project);
  sandbox_leave();
}

TestSuite(agent, .init = set_up, .fini = tear_down);

static const char *file(void) {
  return agent_file("coach", AGENT_LOG_FILE);
}

static void put_log(const char *text) {
  make_agent_folder("coach");
  put_file(file(), text);
}

/* Zeros over `len` bytes of the log. */
static void blot_out(off_t offset, size_t len) {
  static const char zeros[4096];
  int fd = open(file(), O_WRONLY | O_CLOEXEC);

  cr_assert_eq(pwrite(fd, zeros, len, offset), (ssize_t)len);
  (void)close(fd);
}

static int64_t in_ms(int64_t ms) {
  return clock_monotonic_ns() + ms * 1000000;
}

static int acquire(void) {
  error = (struct error){0};
  return agent_fold_acquire(&agent, in_ms(2000), &error);
}

/* Takes the agent and lets it go: fold and anchor then are up to date. */
static void look(void) {
  cr_assert_eq(acquire(), 0, "%s", error.text);
  cr_assert_eq(agent.anchor.end, size_of_file(file()));
  agent_release(&agent);
}

static void expect_fold(const char *name, uint64_t records, uint64_t successes, uint64_t skipped) {
  cr_expect_eq(agent.fold.execution_count, records, "%s: %" PRIu64 " records", name,
               agent.fold.execution_count);
  cr_expect_eq(agent.fold.successes, successes, "%s: %" PRIu64 " successes", name,
               agent.fold.successes);
  cr_expect_eq(agent.fold.skipped_lines, skipped, "%s: %" PRIu64 " skipped", name,
               agent.fold.skipped_lines);
}

static int find(const char *key) {
  struct buffer line = {0};
  uint64_t offset;
  int found = agent_find_key(&agent, (struct span){key, strlen(key)}, &line, &offset, &error);

  buffer_fini(&line);
  return found;
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
  char *text = malloc(len + 1);

  cr_assert(text);
  memset(text, 'x', len);
  text[len] = '\0';
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
  free(text);
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

/* Cold starts. */

static uint64_t bytes_read(void) {
  uint64_t count = 0;
  FILE *file = fopen("/proc/self/io", "re");

  cr_assert(file && fscanf(file, "rchar: %" SCNu64, &count) == 1);
  (void)fclose(file);
  return count;
}

static void put_many_lines(unsigned count) {
  FILE *out;

  make_agent_folder("coach");
  out = fopen(file(), "we");
  cr_assert(out);
  for (unsigned i = 0; i < count; i++)
    (void)fprintf(out, "{\"agent\":\"coach\",\"success\":true,\"idempotency_key\":\"k%u\"}\n", i);
  cr_assert_eq(fclose(out), 0);
}

Test(agent, a_cold_start_does_not_read_the_log_again) {
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

Test(agent, what_was_folded_since_the_checkpoint_is_folded_again_after_a_kill) {
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
Test(agent, what_a_killed_rebuild_has_made_durable_is_there_for_the_next) {
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

Test(agent, a_rebuild_that_was_killed_goes_on_where_it_was) {
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
Test(agent, the_lock_is_let_go_while_much_is_folded) {
  bool let_go = false;

  put_many_lines(130000);
  for (int tries = 0; !let_go && tries < 20; tries++) {
    (void)unlink(agent_file("coach", CHECKPOINT_FILE));
    let_go = is_let_go_by_another_that_folds();
  }
  cr_assert(let_go);
}

Test(agent, two_processes_that_fold_much_at_once_come_to_the_same_end) {
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

Test(agent, after_a_stop_nothing_is_folded_again_by_whoever_comes_later) {
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

Test(agent, a_log_that_was_rewritten_is_not_taken_for_what_was_durable) {
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

/* What happens to the files meanwhile. */

Test(agent, a_log_replaced_by_rename_is_read_anew) {
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

Test(agent, a_log_replaced_by_a_longer_one_with_the_same_inode_number_is_read_anew) {
  put_log(GOOD);
  look();
  put_log(BAD BAD BAD);
  look();
  expect_fold("longer", 3, 0, 0);
}

Test(agent, a_log_cut_in_place_is_read_anew) {
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

Test(agent, what_a_rewrite_in_place_destroyed_before_the_last_line_is_found_once_it_rests) {
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

Test(agent, what_a_rewrite_in_place_destroyed_is_found_by_whoever_opens_the_log_next) {
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

Test(agent, a_log_replaced_all_the_while_is_tried_until_the_deadline_and_then_busy) {
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

Test(agent, a_log_rewritten_while_nobody_had_it_open_is_read_anew) {
  put_log(GOOD GOOD);
  look();
  agent_close(&agent);
  put_log(BAD GOOD);
  look();
  expect_fold("same length", 2, 1, 0);
}

Test(agent, a_log_rewritten_before_this_process_began_is_told) {
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

Test(agent, a_removed_log_begins_again) {
  put_log(GOOD KEYED("k"));
  look();
  cr_assert_eq(unlink(file()), 0);
  cr_assert_eq(acquire(), 0);
  expect_fold("removed", 0, 0, 0);
  cr_assert_eq(find("k"), 0);
  agent_release(&agent);
}

Test(agent, a_tree_cleaned_away_begins_again) {
  put_log(GOOD);
  look();
  cr_assert_eq(nftw(in_sandbox(".kaizen"), sandbox_remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
  look();
  expect_fold("cleaned", 0, 0, 0);
  append_to_file(file(), BAD);
  look();
  expect_fold("used again", 1, 0, 0);
}

Test(agent, a_removed_lock_is_not_trusted_any_more) {
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

Test(agent, a_removed_or_damaged_checkpoint_is_made_anew) {
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

/* In the pages of the keys, after the header. */
static void damage_keys(void) {
  char bytes[64];
  int fd = open(agent_file("coach", CHECKPOINT_FILE), O_WRONLY | O_CLOEXEC);

  memset(bytes, 0x5a, sizeof bytes);
  cr_assert_eq(pwrite(fd, bytes, sizeof bytes, KEY_PAGES_AT), (ssize_t)sizeof bytes);
  (void)close(fd);
}

Test(agent, damaged_keys_of_a_live_checkpoint_are_found_out_at_the_first_look) {
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

Test(agent, damaged_keys_do_not_stop_catching_up) {
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

Test(agent, a_checkpoint_cut_under_a_live_agent_is_made_anew) {
  put_log(KEYED("a"));
  look();
  cr_assert_eq(truncate(agent_file("coach", CHECKPOINT_FILE), 0), 0);
  append_to_file(file(), KEYED("b"));
  cr_assert_eq(acquire(), 0, "%s", error.text);
  cr_assert_eq(find("a"), 1);
  agent_release(&agent);
}

Test(agent, without_entropy_more_keys_than_a_page_holds_are_kept) {
  memset(project.life, 0, sizeof project.life);
  put_many_lines(3000);
  cr_assert_eq(acquire(), 0, "%s", error.text);
  cr_assert_eq(find("k0"), 1);
  cr_assert_eq(find("k2999"), 1);
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

/* Descriptors. */

Test(agent, a_point_of_the_index_takes_no_failed_sync_from_who_appended) {
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

Test(agent, a_log_whose_descriptor_is_another_files_is_opened_again) {
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

Test(agent, files_of_a_host_that_closed_ours_are_neither_written_nor_closed) {
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

Test(agent, files_that_were_closed_by_the_host_are_opened_again) {
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

Test(agent, closing_gives_every_descriptor_back) {
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

Test(agent, what_is_no_regular_file_is_refused_by_name_and_opens_nothing) {
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
