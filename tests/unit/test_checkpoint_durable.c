/* test_checkpoint_durable.c - what of a checkpoint survives a loss of power or a failed sync,
 * or stands in a snapshot of the disk.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint_scene.h"
#include "failing_fsync.h"

#include "store/checkpoint_point.h"

TestSuite(checkpoint_durable, .init = set_up, .fini = tear_down);

static int put_log(void) {
  put_file(in_sandbox("log"), "a log\n");
  return open(in_sandbox("log"), O_RDONLY | O_CLOEXEC);
}

static void take_point(uint64_t end, struct checkpoint_point *point) {
  struct log_anchor at = {.end = end, .offset = end - 10, .hash = 88};
  int log = put_log();

  fold_init(&fold);
  fold.execution_count = end;
  checkpoint_point_take(&checkpoint, log, &at, &fold, point);
  (void)close(log);
}

static int make_durable(uint64_t end) {
  struct checkpoint_point point;

  take_point(end, &point);
  return checkpoint_point_sync(&point);
}

static void expect_end(const char *name, const struct project *project, uint64_t end) {
  cr_expect_eq(checkpoint_peek(folder, project, &anchor, &fold, &error), 0, "%s: %s", name,
               error.text);
  cr_expect_eq(anchor.end, end, "%s: seen to %lu", name, (unsigned long)anchor.end);
  cr_expect_eq(reopen(project), 0, "%s: %s", name, error.text);
  cr_expect_eq(anchor.end, end, "%s: opened at %lu", name, (unsigned long)anchor.end);
}

Test(checkpoint_durable, whoever_comes_later_goes_on_from_what_was_made_durable) {
  reset(&this_life);
  add_keys(0, 40);
  store(500);
  checkpoint_close(&checkpoint);
  expect_end("nothing is durable", &later_life, 0);
  cr_assert_eq(make_durable(300), 0);
  store(500);
  checkpoint_close(&checkpoint);
  expect_end("up to 300", &this_life, 300);
  cr_assert_eq(fold.execution_count, 300);
}

Test(checkpoint_durable, the_head_is_believed_while_anybody_has_had_the_file_open_since) {
  struct checkpoint other;

#if !KAIZEN_LINUX_CALLS
  cr_skip_test("who has a file open cannot be asked: the head is believed less often");
#endif
  reset(&this_life);
  store(500);
  cr_assert_eq(checkpoint_open(&other, folder, &later_life, &anchor, &fold, &error), 0);
  cr_assert_eq(anchor.end, 500, "the writer has it open");
  checkpoint_close(&checkpoint);
  expect_end("the one that came later has it open", &this_life, 500);
  checkpoint_close(&other);
  checkpoint_close(&checkpoint);
  expect_end("nobody has", &later_life, 0);
  checkpoint_close(&checkpoint);
  expect_end("it was opened again, by another", &this_life, 0);
}

Test(checkpoint_durable, a_head_that_was_written_to_another_file_is_not_believed) {
  size_t len;
  char *bytes;

  reset(&this_life);
  store(500);
  bytes = bytes_of_file(file(), &len);
  checkpoint_close(&checkpoint);
  cr_assert_eq(rename(file(), in_sandbox("kept")), 0);
  put_bytes(file(), O_CREAT, bytes, len);
  expect_end("a copy", &this_life, 0);
}

Test(checkpoint_durable, pages_older_than_the_head_cost_no_key_that_was_made_durable) {
  size_t len;
  char *before;

  reset(&this_life);
  add_keys(0, 30);
  cr_assert_eq(make_durable(300), 0);
  before = bytes_of_file(file(), &len);
  add_keys(30, 60);
  store(600);
  /* the disk has the new head, and the pages as they were */
  put_at(file(), before + KEY_PAGES_AT, len - KEY_PAGES_AT, KEY_PAGES_AT);
  checkpoint_close(&checkpoint);
  expect_end("after it", &later_life, 300);
  cr_assert_eq(count_found(0, 30), 30);
  add_keys(30, 60); /* what is folded again */
  cr_assert_eq(count_found(0, 60), 60);
}

Test(checkpoint_durable, the_older_slot_counts_while_the_newer_is_torn) {
  size_t len;
  char *bytes;

  reset(&this_life);
  for (uint64_t end = 100; end <= 400; end += 100)
    cr_assert_eq(make_durable(end), 0);
  checkpoint_close(&checkpoint);
  bytes = bytes_of_file(file(), &len);
  for (size_t slot = 1; slot <= 2; slot++)
    for (size_t at = slot * 4096; at < slot * 4096 + 1024; at += 97) {
      bytes[at] ^= 0x20;
      put_bytes(file(), 0, bytes, len);
      cr_assert_eq(checkpoint_peek(folder, &later_life, &anchor, &fold, &error), 0);
      cr_assert(anchor.end == 300 || anchor.end == 400, "byte %zu: %lu", at,
                (unsigned long)anchor.end);
      bytes[at] ^= 0x20;
    }
  bytes[4096 + 100] ^= 1;
  bytes[8192 + 100] ^= 1;
  put_bytes(file(), 0, bytes, len);
  expect_end("both are torn", &later_life, 0);
}

Test(checkpoint_durable, a_point_that_another_process_was_ahead_of_changes_nothing) {
  struct checkpoint_point late, early;

  reset(&this_life);
  take_point(200, &early);
  take_point(300, &late);
  cr_assert_eq(checkpoint_point_sync(&late), 0);
  cr_assert_eq(checkpoint_point_sync(&early), 1);
  checkpoint_close(&checkpoint);
  expect_end("the late one", &later_life, 300);
}

Test(checkpoint_durable, a_larger_table_is_not_durable_before_it_was_synced_itself) {
  struct checkpoint_point of_the_old_file;

  reset(&this_life);
  add_keys(0, 50);
  cr_assert_eq(make_durable(300), 0);
  take_point(400, &of_the_old_file);
  add_keys(50, 64);
  cr_assert_eq(checkpoint.pages.bits, 1);
  cr_assert_eq(checkpoint.durable_end, 0);
  cr_assert_eq(checkpoint_point_sync(&of_the_old_file), 0);
  checkpoint_close(&checkpoint);
  expect_end("grown", &later_life, 0);
  cr_assert_eq(make_durable(400), 0);
  checkpoint_close(&checkpoint);
  expect_end("synced", &this_life, 400);
  cr_assert_eq(count_found(0, 64), 64);
}

/* After a failed sync nothing that a later one says is believed. */

Test(checkpoint_durable, a_failed_sync_of_the_log_ends_it_for_this_boot_and_this_file) {
  struct checkpoint_point point;
  int pipes[2];

  reset(&this_life);
  cr_assert_eq(make_durable(100), 0);
  take_point(200, &point);
  (void)close(point.log_fd);
  cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
  point.log_fd = pipes[0]; /* cannot be synced */
  cr_assert_eq(checkpoint_point_sync(&point), -1);
  (void)close(pipes[1]);
  cr_assert_eq(make_durable(300), 1);
  add_keys(0, 200); /* grows */
  cr_assert_eq(make_durable(400), 1);
  checkpoint_close(&checkpoint);
  expect_end("doubted", &later_life, 0);
  put_at(file(), "\1\0\0\0\0\0\0\1", 8, 4088); /* another boot's */
  cr_assert_eq(make_durable(500), 0);
}

/* A loss of power would bring it back, with what it says of a log that was rewritten since. */
Test(checkpoint_durable, a_removal_that_could_not_be_synced_is_told) {
  reset(&this_life);
  next_fsync_fails = true;
  cr_assert_eq(checkpoint_remove(folder), -1);
  cr_assert_not(is_there(file()));
  reset(&this_life);
  next_fsync_fails = true;
  cr_assert_eq(checkpoint_reset(&checkpoint, folder, &this_life, &error), -1);
  cr_assert_eq(error.code, KAIZEN_E_IO);
  cr_assert(strstr(error.text, CHECKPOINT_FILE ": cannot sync its removal"), "%s", error.text);
  cr_assert_not(next_fsync_fails);
}

Test(checkpoint_durable, a_failed_sync_of_the_recorder_is_known_to_all_who_open_it) {
  struct checkpoint other;

  reset(&this_life);
  checkpoint_doubt_log(&checkpoint);
  cr_assert_eq(checkpoint_open(&other, folder, &later_life, &anchor, &fold, &error), 0);
  checkpoint_close(&checkpoint);
  checkpoint = other;
  cr_assert_eq(make_durable(300), 1);
}

Test(checkpoint_durable, keys_whose_sync_failed_are_collected_anew_by_whoever_opens_it_next) {
  uint64_t doubt;
  size_t len;

  reset(&this_life);
  cr_assert_eq(make_durable(100), 0);
  store(500);
  checkpoint_doubt_log(&checkpoint);
  memcpy(&doubt, bytes_of_file(file(), &len) + 4088, sizeof doubt);
  doubt++; /* of the keys */
  put_at(file(), &doubt, sizeof doubt, 4088);
  cr_assert_eq(checkpoint_peek(folder, &this_life, &anchor, &fold, &error), 1);
  cr_assert_eq(reopen(&this_life), 1);
}
