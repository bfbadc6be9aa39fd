/* test_fold_ahead.c - a log that is read without the lock: what others do meanwhile costs nothing
 * but work.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "project_sandbox.h"

#include <kaizen/plugin.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/os_files.h"
#include "store/agent_fold.h"
#include "store/fold_ahead.h"

enum { LINES = 8000, DUPLICATES = 40 };

static struct agent agent;
static struct fold_ahead ahead;
static uint64_t offsets[LINES];

static void set_up(void) {
  enter_project();
  agent_init(&agent, &project, "coach");
  fold_ahead_init(&ahead);
}

static void tear_down(void) {
  fold_ahead_fini(&ahead, &agent);
  agent_close(&agent);
  leave_project();
}

TestSuite(fold_ahead, .init = set_up, .fini = tear_down);

static const char *file(const char *name) {
  return agent_file("coach", name);
}

static int64_t in_ms(int64_t ms) {
  return clock_monotonic_ns() + ms * 1000000;
}

static bool ends_swapped; /* the keys of the first line and the last */

/* Every tenth line has one of a few keys that come again and again. */
static const char *key_of(unsigned line) {
  static char key[32];

  if (ends_swapped && (line == 0 || line == LINES - 1))
    line = LINES - 1 - line;
  if (line % 10 == 0)
    (void)snprintf(key, sizeof key, "dup-%u", line / 10 % DUPLICATES);
  else
    (void)snprintf(key, sizeof key, "k%u", line);
  return key;
}

/* Where its key stands for the first time. */
static unsigned first_of(unsigned line) {
  bool again = line % 10 == 0 && (!ends_swapped || line > 0);

  if (ends_swapped && (line == LINES - 1 || (again && line / 10 % DUPLICATES == 0)))
    return DUPLICATES * 10;
  return again ? line / 10 % DUPLICATES * 10 : line;
}

static void put_lines(unsigned from, unsigned to) {
  FILE *out;

  make_agent_folder("coach");
  out = fopen(file(AGENT_LOG_FILE), from == 0 ? "we" : "ae");
  cr_assert(out);
  (void)fseek(out, 0, SEEK_END);
  for (unsigned i = from; i < to; i++) {
    offsets[i] = (uint64_t)ftell(out);
    (void)fprintf(out, "{\"agent\":\"coach\",\"success\":true,\"idempotency_key\":\"%s\"}\n",
                  key_of(i));
  }
  cr_assert_eq(fclose(out), 0);
}

static void acquire(struct agent *who) {
  error = (struct error){0};
  cr_assert_eq(agent_fold_acquire(who, in_ms(20000), &error), 0, "%s", error.text);
}

/* Each key is found where it first stands, and the index has it once. */
static void expect_all(const char *name, struct agent *who, unsigned lines) {
  struct buffer line = {0};
  uint64_t at, found[8];
  size_t count;

  cr_assert_eq(who->fold.execution_count, lines, "%s: %lu records", name,
               (unsigned long)who->fold.execution_count);
  for (unsigned i = 0; i < lines; i++) {
    struct span key = {key_of(i), strlen(key_of(i))};

    cr_assert_eq(agent_find_key(who, key, &line, &at, &error), 1, "%s: line %u: %s", name, i,
                 error.text);
    cr_assert_eq(at, offsets[first_of(i)], "%s: line %u: found at %lu", name, i, (unsigned long)at);
    cr_assert_eq(checkpoint_find(&who->checkpoint, key, found, 8, &count, &error), 0);
    cr_assert_eq(count, 1, "%s: line %u: %zu entries", name, i, count);
  }
  buffer_fini(&line);
}

Test(fold_ahead, the_first_line_that_has_a_key_owns_it) {
  put_lines(0, LINES);
  acquire(&agent);
  expect_all("in one go", &agent, LINES);
  agent_release(&agent);
}

Test(fold_ahead, a_key_that_is_in_the_index_stays_with_its_line) {
  put_lines(0, 100);
  acquire(&agent);
  agent_release(&agent);
  put_lines(100, LINES);
  acquire(&agent);
  expect_all("after a hundred", &agent, LINES);
  agent_release(&agent);
}

Test(fold_ahead, what_is_folded_under_the_lock_has_the_same_keys) {
  put_lines(0, LINES);
  cr_assert_eq(agent_open_files(&agent, &error), 0, "%s", error.text);
  cr_assert_eq(agent_lock_exclusive(&agent.lock, in_ms(20000), &error), 0, "%s", error.text);
  cr_assert_eq(agent_fold_refresh(&agent, &error), 0, "%s", error.text);
  expect_all("under the lock", &agent, LINES);
  agent_release(&agent);
}

/* ---- between two turns ----------------------------------------------------------------------- */

/* One turn of agent_fold_acquire(), as far as it needs the lock. */
static int take_turn(void) {
  int result;

  agent.ahead = &ahead;
  cr_assert_eq(agent_open_files(&agent, &error), 0, "%s", error.text);
  cr_assert_eq(agent_lock_exclusive(&agent.lock, in_ms(20000), &error), 0, "%s", error.text);
  result = agent_fold_refresh(&agent, &error);
  agent_release(&agent);
  agent.ahead = NULL;
  return result;
}

/* However slow the machine is, what is read is a piece that reaches the end. */
static void work(void) {
  agent.pace_ns = in_ms(20000);
  fold_ahead_work(&ahead, &agent, in_ms(20000));
}

static void nothing_happens(void) {
}

static void another_process_folds_it(void) {
  struct agent other;

  agent_init(&other, &project, "coach");
  os_files_give_up_claim(agent.lock.lock_fd);
  acquire(&other);
  expect_all("the other", &other, LINES);
  agent_release(&other);
  agent_close(&other);
}

static void the_index_is_removed(void) {
  cr_assert_eq(unlink(file(CHECKPOINT_FILE)), 0);
}

static void the_index_is_begun_again(void) {
  cr_assert_eq(agent_lock_exclusive(&agent.lock, in_ms(20000), &error), 0, "%s", error.text);
  cr_assert_eq(checkpoint_reset(&agent.checkpoint, agent.fd, &project, &error), 0);
  agent_release(&agent);
}

static void the_index_is_damaged(void) {
  static const char garbage[1024] = "garbage";
  struct stat status;
  int fd = open(file(CHECKPOINT_FILE), O_WRONLY | O_CLOEXEC);

  cr_assert_eq(fstat(fd, &status), 0);
  for (off_t at = KEY_PAGES_AT; at < status.st_size; at += (off_t)sizeof garbage)
    cr_assert_eq(pwrite(fd, garbage, sizeof garbage, at), (ssize_t)sizeof garbage);
  (void)close(fd);
}

static void the_log_is_cut(void) {
  cr_assert_eq(truncate(file(AGENT_LOG_FILE), (off_t)offsets[LINES / 2]), 0);
}

static void the_log_is_written_over(void) {
  ends_swapped = true;
  put_lines(0, LINES);
}

static void the_log_is_replaced(void) {
  cr_assert_eq(rename(file(AGENT_LOG_FILE), in_sandbox("old")), 0);
  put_lines(0, LINES);
}

static void somebody_takes_the_name_of_the_larger_table(void) {
  (void)unlink(file(CHECKPOINT_FILE ".new"));
  put_file(file(CHECKPOINT_FILE ".new"), "somebody's");
}

static const struct {
  const char *name;
  void (*happens)(void);
  unsigned lines; /* of the log afterwards */
} meanwhile[] = {
    {"nothing", nothing_happens, LINES},
    {"another process folds it", another_process_folds_it, LINES},
    {"the index is removed", the_index_is_removed, LINES},
    {"the index is begun again", the_index_is_begun_again, LINES},
    {"the index is damaged", the_index_is_damaged, LINES},
    {"the log is cut", the_log_is_cut, LINES / 2},
    {"the log is written over", the_log_is_written_over, LINES},
    {"the log is replaced", the_log_is_replaced, LINES},
    {"the larger table's name is taken", somebody_takes_the_name_of_the_larger_table, LINES},
};

/* After so many turns it happens: a piece has been read, and after two a larger table filled. */
static void fold_while(size_t i, int turns) {
  char name[96];
  int result;

  (void)snprintf(name, sizeof name, "%s, after %d turns", meanwhile[i].name, turns);
  ends_swapped = false;
  put_lines(0, LINES);
  for (int turn = 0; turn < turns; turn++) {
    cr_assert_eq(take_turn(), AGENT_FOLD_TURN, "%s: %s", name, error.text);
    work();
  }
  meanwhile[i].happens();
  while ((result = take_turn()) != 0) {
    cr_assert_geq(result, 1, "%s: %s", name, error.text);
    if (result == 1)
      agent_close_files(&agent);
    else
      work();
  }
  expect_all(name, &agent, meanwhile[i].lines);
  cr_expect_not(is_there(file(CHECKPOINT_FILE ".new")), "%s", name);
  fold_ahead_fini(&ahead, &agent);
  agent_close_files(&agent);
  (void)unlink(file(CHECKPOINT_FILE));
}

Test(fold_ahead, whatever_happens_while_a_piece_is_in_memory_every_key_has_its_line) {
  for (size_t i = 0; i < sizeof meanwhile / sizeof *meanwhile; i++)
    for (int turns = 1; turns <= 2; turns++)
      fold_while(i, turns);
}

Test(fold_ahead, a_log_that_is_cut_is_looked_at_again) {
  fold_while(5, 1);
  cr_assert_gt(agent.look_again_ns, 0);
}

/* ---- who reads ahead ------------------------------------------------------------------------- */

Test(fold_ahead, a_claim_that_is_kept_is_not_waited_for_beyond_the_deadline_and_then_it_goes_on) {
  int lock;

  put_lines(0, LINES);
  put_file(file(".lock"), "");
  lock = open(file(".lock"), O_RDWR | O_CLOEXEC);
  cr_assert(os_files_claim(lock));
  cr_assert_eq(agent_fold_acquire(&agent, in_ms(30), &error), 0, "%s", error.text);
  expect_all("claimed", &agent, LINES);
  agent_release(&agent);
  (void)close(lock);
}

Test(fold_ahead, the_claim_is_given_up_with_the_lock_in_hand) {
  int lock;

  put_lines(0, LINES);
  acquire(&agent);
  lock = open(file(".lock"), O_RDWR | O_CLOEXEC);
  cr_assert(os_files_claim(lock));
  (void)close(lock);
  agent_release(&agent);
}

/* Where the system has no claims everybody reads for himself. */
Test(fold_ahead, who_has_waited_asks_the_index_how_far_it_is) {
  int lock, second;
  bool has_claims;

  put_lines(0, LINES);
  cr_assert_eq(take_turn(), AGENT_FOLD_TURN, "%s", error.text);
  lock = open(file(".lock"), O_RDWR | O_CLOEXEC);
  second = open(file(".lock"), O_RDWR | O_CLOEXEC);
  cr_assert(os_files_claim(lock));
  has_claims = !os_files_claim(second);
  fold_ahead_work(&ahead, &agent, in_ms(1));
  cr_assert_eq(agent.loaded, !has_claims);
  cr_assert(has_claims ? ahead.lines == 0 : ahead.lines > 0);
  (void)close(second);
  (void)close(lock);
}

/* ---- a larger table, filled without the lock ------------------------------------------------- */

static struct checkpoint_growth growth;

static void add_keys(unsigned from, unsigned to) {
  for (unsigned i = from; i < to; i++)
    cr_assert_eq(checkpoint_add(&agent.checkpoint, (struct span){key_of(i), strlen(key_of(i))},
                                100 + i, &error),
                 0, "%s", error.text);
}

static void store_head(uint64_t end) {
  struct log_anchor at = {.end = end, .offset = end - 1};

  cr_assert_eq(checkpoint_store(&agent.checkpoint, &at, &agent.fold, &error), 0, "%s", error.text);
}

static void begin_growth(void) {
  make_agent_folder("coach");
  acquire(&agent);
  add_keys(1, 10);
  store_head(50);
  cr_assert_eq(checkpoint_growth_begin(&agent.checkpoint, 3, &growth, &error), 0, "%s", error.text);
  cr_assert_eq(checkpoint_growth_fill(&agent.checkpoint, &growth, &error), 0, "%s", error.text);
}

static bool has_key(unsigned i) {
  uint64_t found;
  size_t count;

  return checkpoint_find(&agent.checkpoint, (struct span){key_of(i), strlen(key_of(i))}, &found, 1,
                         &count, &error) == 0 &&
         count == 1;
}

Test(fold_ahead, a_larger_table_has_every_key_and_says_no_more_than_the_old_one) {
  struct log_anchor at;

  begin_growth();
  add_keys(11, 20); /* hints: the head does not speak for them */
  cr_assert_eq(checkpoint_growth_end(&agent.checkpoint, &growth, &error), 0, "%s", error.text);
  for (unsigned i = 1; i < 10; i++)
    cr_assert(has_key(i), "%u", i);
  cr_assert_eq(checkpoint_peek(agent.fd, &project, &at, &agent.fold, &error), 0);
  cr_assert_eq(at.end, 50);
  cr_assert_eq(agent.checkpoint.durable_end, 0);
  agent_release(&agent);
}

Test(fold_ahead, a_larger_table_that_lacks_keys_the_head_speaks_for_is_not_put_in_place) {
  begin_growth();
  add_keys(11, 20);
  store_head(60);
  cr_assert_eq(checkpoint_growth_end(&agent.checkpoint, &growth, &error), 1);
  for (unsigned i = 1; i < 20; i++)
    cr_assert(i == 10 || has_key(i), "%u", i);
  cr_assert_not(is_there(file(CHECKPOINT_FILE ".new")));
  agent_release(&agent);
}

/* As after a prune: the new log's index was made elsewhere. */
Test(fold_ahead, a_larger_table_does_not_take_the_place_of_another_index) {
  size_t len;
  char *bytes;

  begin_growth();
  bytes = bytes_of_file(file(CHECKPOINT_FILE), &len);
  put_bytes(in_sandbox("elsewhere"), 0, bytes, len);
  cr_assert_eq(rename(in_sandbox("elsewhere"), file(CHECKPOINT_FILE)), 0);
  cr_assert_eq(checkpoint_growth_end(&agent.checkpoint, &growth, &error), 1);
  cr_assert_eq(size_of_file(file(CHECKPOINT_FILE)), len);
  agent_release(&agent);
}

Test(fold_ahead, a_larger_table_is_not_made_of_a_damaged_one) {
  begin_growth();
  checkpoint_growth_drop(agent.fd, &growth);
  cr_assert_not(is_there(file(CHECKPOINT_FILE ".new")));
  the_index_is_damaged();
  cr_assert_eq(checkpoint_growth_begin(&agent.checkpoint, 3, &growth, &error), 0);
  cr_assert_eq(checkpoint_growth_fill(&agent.checkpoint, &growth, &error), 1);
  checkpoint_growth_drop(agent.fd, &growth);
  agent_release(&agent);
}
