/* test_retention_copy.c - what happens to a log while its prefix is copied without the lock.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "retention_log.h"

#include <pthread.h>
#include <sys/syscall.h>

TestSuite(retention_copy, .init = enter_project, .fini = leave_project);

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

Test(retention_copy, what_was_made_for_a_new_log_is_removed_before_others_may_make_theirs) {
  put_log(TEN(OLD) NEW);
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_gt(removed, 0);
  cr_assert_eq(removed_unlocked, 0, "%u of %u", removed_unlocked, removed);
}

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

Test(retention_copy, lines_appended_during_the_copy_are_kept) {
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

Test(retention_copy, a_log_replaced_during_the_copy_is_left_alone) {
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

Test(retention_copy, a_new_log_that_lost_its_name_takes_no_place_and_nothing_of_anothers) {
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

Test(retention_copy, a_log_cut_during_the_copy_is_left_alone) {
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

Test(retention_copy, a_log_rewritten_in_its_place_after_the_copy_is_left_alone) {
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

Test(retention_copy, a_log_emptied_during_the_copy_is_left_alone) {
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

Test(retention_copy, events_made_pending_again_during_the_copy_are_not_dropped) {
  int result;

  prune_until_in_time(resend_everything, &result);
  cr_assert_eq(result, -1);
  cr_assert_eq(error.code, KAIZEN_E_BUSY);
  cr_assert_eq(lines_of_file(file()), 60000);
}

Test(retention_copy, the_index_of_the_new_log_is_for_all_who_share_the_project) {
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

Test(retention_copy, a_new_log_whose_sync_failed_once_takes_no_place) {
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
