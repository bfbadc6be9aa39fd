/* test_retention.c - which lines leave a log, when, and what nobody may lose by it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "legacy_lock.h"
#include "retention_world.h"

#include <kaizen/plugin.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "store/agent_fold.h"
#include "store/agent_state.h"
#include "store/project_identity.h"

#define OLD "{\"timestamp\":\"2025-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":false}\n"
#define NEW "{\"timestamp\":\"2025-12-31T00:00:00Z\",\"agent\":\"coach\",\"success\":true}\n"
#define MARKED(number)                                                                             \
  "{\"timestamp\":\"2025-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":true,\"event_id\":"     \
  "\"00000000-0000-4000-8000-00000000000" number "\",\"event\":{}}\n"
#define LETTER(number)                                                                             \
  "{\"event_id\":\"00000000-0000-4000-8000-00000000000" number "\",\"reason\":\"too large\"}\n"
#define TEN(line) line line line line line line line line line line

/* In the place of libc's: the kernel tells a failed sync once, and the next one succeeds. */
static int syncs_until_one_fails;

/* What happens when a short log has been copied, before anybody asks for the lock. */
static void (*when_copied)(void);

int fdatasync(int fd) {
  void (*happens)(void) = when_copied;

  when_copied = NULL;
  if (happens)
    happens();
  if (syncs_until_one_fails > 0 && --syncs_until_one_fails == 0) {
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_fdatasync, fd);
}

/* The same: what is removed while another process could have begun to write the same files. */
static unsigned removed, removed_unlocked;

static bool is_locked(const char *name) {
  int fd = open(agent_file("coach", name), O_RDWR | O_CLOEXEC);
  bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;

  if (fd >= 0)
    (void)close(fd);
  return locked;
}

int unlinkat(int folder_fd, const char *name, int flags) {
  if (strcmp(name, ".index.new") == 0 || strcmp(name, ".executions.new") == 0) {
    removed++;
    removed_unlocked += !is_locked(".lock") && !is_locked(".executions.new");
  }
  return (int)syscall(SYS_unlinkat, folder_fd, name, flags);
}

TestSuite(retention, .init = set_up, .fini = tear_down);

/* The looks of the days before agree with what is said today. */
static int prune(void) {
  cr_assert_eq(look_at(TODAY_S - 2 * DAY_S), 0, "%s", error.text);
  cr_assert_eq(look_at(TODAY_S - DAY_S), 0, "%s", error.text);
  return look_at(TODAY_S);
}

static void with_agent(void (*change)(struct agent *agent, struct agent_state *state)) {
  unsigned char id[PROJECT_ID_SIZE];
  struct agent_state state;
  struct agent agent;
  bool changed;

  agent_init(&agent, &project, "coach");
  cr_assert_eq(agent_fold_acquire(&agent, clock_monotonic_ns() + INT64_C(2000000000), &error), 0);
  cr_assert_eq(project_identity(&project, id, &error), 0, "%s", error.text);
  cr_assert_eq(agent_state_claim(agent.fd, id, &agent.fold, false, &state, &changed, &error), 0);
  change(&agent, &state);
  cr_assert_eq(agent_state_store(agent.fd, &state, false, &error), 0);
  agent_release(&agent);
  agent_close(&agent);
}

static void pass(struct cursor_progress *progress, const char *id_text, bool refused) {
  unsigned char id[16];

  uuid_pack(id_text, id);
  cursor_progress_pass(progress, id, 0, refused); /* the offset is a hint, the id decides */
}

/* Where a publisher begins in a log whose events are all to be sent. */
static void begin(struct cursor *cursor, struct cursor_progress *progress) {
  cursor_begin(cursor, clock_wall_ns());
  cursor_progress_begin(progress, cursor->epoch, cursor_line_id(cursor), clock_wall_ns());
}

/* As the publisher would after an acknowledgement of the second marked line. */
static void acknowledge_two(struct agent *agent, struct agent_state *state) {
  struct cursor_progress progress;

  (void)agent;
  begin(&state->cursor, &progress);
  pass(&progress, "00000000-0000-4000-8000-000000000001", false);
  pass(&progress, "00000000-0000-4000-8000-000000000002", false);
  cr_assert_eq(cursor_advance(&state->cursor, &progress, false), 0);
}

/* As after five events, of which the second, fourth and fifth became dead letters. */
static void refuse_three_of_five(struct agent *agent, struct agent_state *state) {
  struct cursor_progress progress;

  (void)agent;
  begin(&state->cursor, &progress);
  pass(&progress, "00000000-0000-4000-8000-000000000001", false);
  pass(&progress, "00000000-0000-4000-8000-000000000002", true);
  pass(&progress, "00000000-0000-4000-8000-000000000003", false);
  pass(&progress, "00000000-0000-4000-8000-000000000004", true);
  pass(&progress, "00000000-0000-4000-8000-000000000005", true);
  cr_assert_eq(cursor_advance(&state->cursor, &progress, false), 0);
}

static void expect_one_dead_letter(struct agent *agent, struct agent_state *state) {
  (void)agent;
  cr_assert_eq(state->cursor.marked, 1);
  cr_assert_eq(state->cursor.dead_lettered, 1);
}

/* When. */

Test(retention, a_first_look_only_reads_the_clock) {
  put_log(OLD TEN(NEW));
  cr_assert_eq(look_at(TODAY_S), 0, "%s", error.text);
  cr_assert_eq(look_at(TODAY_S + DAY_S - 1), 0, "%s", error.text);
  cr_assert_eq(lines_of_file(file()), 11);
  if (!tells_birth(file())) /* the clock begins with the oldest record: a look more */
    cr_assert_eq(look_at(TODAY_S + DAY_S), 0, "%s", error.text);
  cr_assert_eq(look_at(TODAY_S + (tells_birth(file()) ? 1 : 2) * DAY_S), 1, "%s", error.text);
  cr_assert_eq(dropped, 1);
  cr_assert_str_eq(text_of_file(file()), TEN(NEW));
}

Test(retention, most_of_a_log_is_taken_when_three_looks_agree) {
  put_log(TEN(OLD) NEW);
  cr_assert_eq(look_at(TODAY_S), 0, "%s", error.text);
  cr_assert_eq(look_at(TODAY_S + DAY_S), 0, "%s", error.text);
  cr_assert_eq(lines_of_file(file()), 11);
  cr_assert_eq(look_at(TODAY_S + 2 * DAY_S), 1, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()), NEW);
}

Test(retention, prunes_at_most_once_a_day) {
  put_log(TEN(OLD) NEW);
  cr_assert_eq(prune(), 1);
  put_log(TEN(OLD) NEW);
  cr_assert_eq(look_at(TODAY_S), 0);
  cr_assert_eq(look_at(TODAY_S + DAY_S - 1), 0);
  cr_assert_eq(look_at(TODAY_S + DAY_S), 1);
}

#define AMENDMENT(of) "{\"agent\":\"coach\",\"amends\":\"" of "\",\"quality_score\":0.4}\n"

Test(retention, an_amendment_goes_with_the_record_that_it_names) {
  put_log(TEN(OLD) "{\"timestamp\":\"2020-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":true,"
                   "\"idempotency_key\":\"gone\"}\n" AMENDMENT("gone") NEW AMENDMENT("stays")
                       AMENDMENT("gone"));
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_expect_eq(lines_of_file(file()), 2);
  cr_expect(strstr(text_of_file(file()), "\"amends\":\"stays\""));
  cr_expect_not(strstr(text_of_file(file()), "\"amends\":\"gone\""));
}

Test(retention, does_not_rewrite_a_log_for_a_trifle) {
  put_log(OLD TEN(NEW) TEN(NEW));
  cr_assert_eq(prune(), 0, "%s", error.text);
  cr_assert_eq(lines_of_file(file()), 21);
  append_to_file(file(), OLD OLD);
  cr_assert_eq(look_at(TODAY_S + DAY_S), 1);
  cr_assert_eq(lines_of_file(file()), 20);
}

Test(retention, nothing_expired_is_nothing_to_do) {
  put_log(TEN(NEW));
  cr_assert_eq(prune(), 0);
  put_log("");
  cr_assert_eq(look_at(TODAY_S + 5 * DAY_S), 0);
}

/* What stays. */

Test(retention, lines_that_cannot_be_dated_or_read_stay) {
  put_log(TEN(OLD) "garbage\n"
                   "{\"agent\":\"coach\",\"success\":true}\n"
                   "{\"timestamp\":\"yesterday\",\"agent\":\"coach\",\"success\":true}\n"
                   "\n" NEW);
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_eq(dropped, 10);
  cr_assert_str_eq(text_of_file(file()),
                   "garbage\n"
                   "{\"agent\":\"coach\",\"success\":true}\n"
                   "{\"timestamp\":\"yesterday\",\"agent\":\"coach\",\"success\":true}\n"
                   "\n" NEW);
}

Test(retention, events_that_are_not_acknowledged_stay_and_so_does_the_cursors_line) {
  put_log(TEN(OLD) MARKED("1") OLD MARKED("2") MARKED("3") OLD MARKED("4") NEW);
  with_agent(acknowledge_two);
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()), MARKED("2") MARKED("3") MARKED("4") NEW);
}

Test(retention, the_cursor_follows_its_line) {
  unsigned char id[16];
  struct agent_state state;
  bool damaged;
  int folder;

  put_log(TEN(OLD) MARKED("1") MARKED("2") MARKED("3") NEW);
  with_agent(acknowledge_two);
  cr_assert_eq(prune(), 1, "%s", error.text);
  folder = open(in_sandbox(".kaizen/metrics/coach"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  cr_assert_eq(agent_state_load(folder, &state, &damaged, &error), 0);
  (void)close(folder);
  cr_assert_eq(state.cursor.end, strlen(MARKED("2")));
  cr_assert_eq(state.cursor.marked, 1);
  uuid_pack("00000000-0000-4000-8000-000000000002", id);
  cr_assert_arr_eq(state.cursor.recent[0], id, 16);
}

Test(retention, the_dead_letters_whose_lines_go_are_no_longer_counted) {
  put_log(MARKED("1") MARKED("2") MARKED("3") MARKED("4") MARKED("5"));
  put_file(agent_file("coach", ".dead-letter.jsonl"),
           LETTER("2") LETTER("2") LETTER("4") LETTER("5"));
  with_agent(refuse_three_of_five);
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_eq(dropped, 4);
  with_agent(expect_one_dead_letter);
}

Test(retention, held_events_and_events_of_a_lost_state_stay) {
  put_log(TEN(OLD) MARKED("1") MARKED("2") NEW);
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()), MARKED("1") MARKED("2") NEW);
}

Test(retention, a_line_of_three_megabytes_is_kept_byte_for_byte) {
  size_t len = 3 << 20, size;
  char *text = malloc(len + 1), *kept;

  cr_assert(text);
  for (size_t i = 0; i < len; i++)
    text[i] = (char)('a' + i % 26);
  text[len - 1] = '\n';
  text[len] = '\0';
  put_log("");
  append_to_file(file(), text);
  for (size_t i = 0; i < len; i += 10 * strlen(OLD))
    append_to_file(file(), TEN(OLD));
  append_to_file(file(), NEW);
  cr_assert_eq(prune(), 1, "%s", error.text);
  kept = bytes_of_file(file(), &size);
  cr_assert_eq(size, len + strlen(NEW));
  cr_assert_eq(memcmp(kept, text, len), 0);
  free(text);
}

/* Who else is there. */

Test(retention, what_a_killed_prune_left_is_in_nobodys_way) {
  put_log(TEN(OLD) NEW);
  put_file(agent_file("coach", ".executions.new"),
           "half of it, and longer than what will be left, "
           "so that nothing of it may stay behind: " TEN(NEW));
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()), NEW);
  cr_assert_not(is_there(agent_file("coach", ".executions.new")));
}

Test(retention, of_two_prunes_at_once_one_gives_way) {
  int fd;

  put_log(TEN(OLD) NEW);
  put_file(agent_file("coach", ".executions.new"), "the other's");
  fd = open(agent_file("coach", ".executions.new"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(fd, LOCK_EX), 0);
  cr_assert_eq(prune(), -1);
  cr_assert_eq(error.code, KAIZEN_E_BUSY);
  cr_assert_eq(lines_of_file(file()), 11);
  cr_assert_str_eq(text_of_file(agent_file("coach", ".executions.new")), "the other's");
  (void)close(fd);
}

Test(retention, one_that_was_killed_after_a_fork_is_in_nobodys_way) {
  pid_t child;
  int result;

  put_log(TEN(OLD) NEW);
  put_file(agent_file("coach", ".executions.new"), "half of it");
  child = legacy_lock_leave(agent_file("coach", ".executions.new"), O_CLOEXEC);
  result = prune();
  for (int64_t day = 1; result < 0 && day < 100; day++) /* the look takes long on a busy machine */
    result = look_at(TODAY_S + day * DAY_S);
  cr_assert_eq(result, 1, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()), NEW);
  (void)kill(child, SIGKILL);
}

Test(retention, what_was_made_for_a_new_log_is_removed_before_others_may_make_theirs) {
  put_log(TEN(OLD) NEW);
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_gt(removed, 0);
  cr_assert_eq(removed_unlocked, 0, "%u of %u", removed_unlocked, removed);
}

Test(retention, a_link_in_the_way_is_refused_and_the_log_stays) {
  put_log(TEN(OLD) NEW);
  put_file(in_sandbox("outside"), "outside\n");
  cr_assert_eq(symlink("../../../outside", agent_file("coach", ".executions.new")), 0);
  cr_assert_eq(prune(), -1);
  cr_assert(strstr(error.text, ".executions.new: a symbolic link"), "%s", error.text);
  cr_assert_str_eq(text_of_file(in_sandbox("outside")), "outside\n");
  cr_assert_eq(lines_of_file(file()), 11);
}

Test(retention, a_lock_not_had_in_time_leaves_the_log_as_it_was) {
  int fd;

  put_log(TEN(OLD) NEW);
  cr_assert_eq(look_at(TODAY_S - DAY_S), 0);
  fd = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(fd, LOCK_EX), 0);
  {
    const struct retention_look today = {.wall_s = TODAY_S};
    int64_t wait_ns = 20000000;

    cr_assert_eq(
        retention_prune(&project, "coach", 180, &today, &wait_ns, false, NULL, &dropped, &error),
        -1);
    cr_assert_eq(error.code, KAIZEN_E_BUSY);
    cr_assert_leq(wait_ns, 0, "the time it waited was not counted");
  }
  cr_assert_eq(lines_of_file(file()), 11);
  (void)close(fd);
}

/* What happens while the prefix is copied without the lock. */

static void *prune_in_thread(void *ctx) {
  *(int *)ctx = look_at(TODAY_S);
  return NULL;
}

static void put_large_log(void) {
  FILE *out;

  make_agent_folder("coach");
  out = fopen(file(), "we");
  cr_assert(out);
  for (int i = 0; i < 3000; i++)
    (void)fputs(TEN(OLD) TEN(NEW), out);
  cr_assert_eq(fclose(out), 0);
}

static bool is_copying(void) {
  struct stat status;

  return stat(agent_file("coach", ".executions.new"), &status) == 0 && status.st_size > 0;
}

/* 1: `interfere` came in time, and *result is what the prune then said; 0: the prune was faster. */
static int prune_with(void (*interfere)(void), int *result) {
  pthread_t thread;
  int lock, before, in_time;

  put_large_log();
  cr_assert_eq(look_at(TODAY_S - DAY_S), 0, "%s", error.text);
  lock = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  *result = before = 77;
  cr_assert_eq(pthread_create(&thread, NULL, prune_in_thread, result), 0);
  while (!is_copying() && __atomic_load_n(result, __ATOMIC_ACQUIRE) == before)
    (void)nanosleep(&(struct timespec){0, 20000}, NULL);
  cr_assert_eq(flock(lock, LOCK_EX), 0);
  in_time = is_copying();
  if (in_time)
    interfere();
  (void)close(lock);
  cr_assert_eq(pthread_join(thread, NULL), 0);
  return in_time;
}

static void prune_until_in_time(void (*interfere)(void), int *result) {
  for (int tries = 0; tries < 20; tries++) {
    if (prune_with(interfere, result))
      return;
    cr_assert_eq(unlink(agent_file("coach", ".state")), 0);
  }
  cr_skip_test("the prune was always faster");
}

static void append_a_line(void) {
  append_to_file(file(), "{\"agent\":\"coach\",\"success\":true,\"session_id\":\"meanwhile\"}\n");
}

Test(retention, lines_appended_during_the_copy_are_kept) {
  int result;

  prune_until_in_time(append_a_line, &result);
  cr_assert_eq(result, 1, "%s", error.text);
  cr_assert_eq(lines_of_file(file()), 30001);
  cr_assert(strstr(text_of_file(file()), "meanwhile"));
}

static void replace_the_log(void) {
  put_file(in_sandbox("pruned by another"), NEW);
  cr_assert_eq(rename(in_sandbox("pruned by another"), file()), 0);
}

Test(retention, a_log_replaced_during_the_copy_is_left_alone) {
  int result;

  prune_until_in_time(replace_the_log, &result);
  cr_assert_eq(result, -1);
  cr_assert_str_eq(text_of_file(file()), NEW);
  cr_assert_not(is_there(agent_file("coach", ".executions.new")));
  cr_assert_eq(removed_unlocked, 0, "%u of %u", removed_unlocked, removed);
}

/* A program removed the spare file, and another process has begun its own. */
static void begin_another(void) {
  cr_assert_eq(unlink(agent_file("coach", ".executions.new")), 0);
  put_file(agent_file("coach", ".executions.new"), "the other's");
}

Test(retention, a_new_log_that_lost_its_name_takes_no_place_and_nothing_of_anothers) {
  int result;

  prune_until_in_time(begin_another, &result);
  cr_assert_eq(result, -1);
  cr_assert_eq(error.code, KAIZEN_E_BUSY, "%s", error.text);
  cr_assert_eq(lines_of_file(file()), 60000);
  cr_assert_str_eq(text_of_file(agent_file("coach", ".executions.new")), "the other's");
  cr_assert(is_there(agent_file("coach", ".index.new/.index-2")), "it may be the other's");
}

static void rewrite_the_log(void) {
  put_large_log();
  append_to_file(file(), OLD);
}

Test(retention, a_log_cut_during_the_copy_is_left_alone) {
  int result;

  prune_until_in_time(rewrite_the_log, &result);
  /* the same bytes, and one more line: no harm in pruning that either */
  cr_assert(result == 1 || result == -1);
  cr_assert_eq(lines_of_file(file()), result == 1 ? 30001 : 60001);
}

#define OTHER "{\"timestamp\":\"2025-12-30T00:00:00Z\",\"agent\":\"coach\",\"success\":false}\n"

/* In its place, and longer than what was copied. */
static void write_another_log(void) {
  put_file(file(), TEN(OTHER) TEN(OTHER) TEN(OTHER));
}

Test(retention, a_log_rewritten_in_its_place_after_the_copy_is_left_alone) {
  put_log(TEN(OLD) NEW);
  cr_assert_eq(look_at(TODAY_S - 2 * DAY_S), 0, "%s", error.text);
  cr_assert_eq(look_at(TODAY_S - DAY_S), 0, "%s", error.text);
  when_copied = write_another_log;
  cr_assert_eq(look_at(TODAY_S), -1);
  cr_assert_null(when_copied, "nothing was copied");
  cr_assert_eq(error.code, KAIZEN_E_BUSY, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()), TEN(OTHER) TEN(OTHER) TEN(OTHER));
}

static void empty_the_log(void) {
  put_file(file(), NEW NEW);
}

Test(retention, a_log_emptied_during_the_copy_is_left_alone) {
  int result;

  prune_until_in_time(empty_the_log, &result);
  cr_assert_eq(result, -1);
  cr_assert_str_eq(text_of_file(file()), NEW NEW);
}

static void resend_everything(void) {
  struct agent_state state;
  bool damaged;
  int folder = open(in_sandbox(".kaizen/metrics/coach"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  cr_assert_eq(agent_state_load(folder, &state, &damaged, NULL), 0);
  cr_assert_eq(cursor_move_back(&state.cursor, &(struct cursor_target){.release_held = true},
                                clock_wall_ns()),
               0);
  cr_assert_eq(agent_state_store(folder, &state, false, NULL), 0);
  (void)close(folder);
}

Test(retention, events_made_pending_again_during_the_copy_are_not_dropped) {
  int result;

  prune_until_in_time(resend_everything, &result);
  cr_assert_eq(result, -1);
  cr_assert_eq(error.code, KAIZEN_E_BUSY);
  cr_assert_eq(lines_of_file(file()), 60000);
}

Test(retention, the_index_of_the_new_log_is_for_all_who_share_the_project) {
  struct stat status;

  project_close(&project);
  put_log(TEN(OLD) NEW);
  cr_assert_eq(chmod(in_sandbox(".kaizen"), 02770), 0);
  cr_assert_eq(chmod(in_sandbox(".kaizen/metrics"), 02770), 0);
  cr_assert_eq(chmod(in_sandbox(".kaizen/metrics/coach"), 02770), 0);
  cr_assert_eq(project_open_for_group(&project, sandbox.root, false, false, &error), 0, "%s",
               error.text);
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_eq(stat(agent_file("coach", CHECKPOINT_FILE), &status), 0);
  cr_assert_eq(status.st_mode & 07777, 0660, "%o", status.st_mode);
}

Test(retention, a_new_log_whose_sync_failed_once_takes_no_place) {
  put_large_log();
  if (!tells_birth(file())) /* the clock begins with the oldest record: a look more */
    cr_assert_eq(look_at(TODAY_S - 2 * DAY_S), 0, "%s", error.text);
  cr_assert_eq(look_at(TODAY_S - DAY_S), 0, "%s", error.text);
  syncs_until_one_fails = 1;
  cr_assert_eq(look_at(TODAY_S), -1);
  cr_assert_eq(syncs_until_one_fails, 0);
  cr_assert_str_not_empty(error.text);
  cr_assert_eq(lines_of_file(file()), 60000);
}
