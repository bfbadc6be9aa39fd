/* test_checkpoint.c - the file that makes a cold start short: what it keeps, and when it is not
 * believed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint_scene.h"

#include <sys/resource.h>

#include "base/host_guard.h"

TestSuite(checkpoint, .init = set_up, .fini = tear_down);

/* What it keeps. */

Test(checkpoint, one_that_is_missing_is_said_to_be) {
  cr_assert_eq(reopen(&this_life), 1);
  cr_assert_eq(checkpoint_peek(folder, &this_life, &anchor, &fold, &error), 1);
}

Test(checkpoint, a_new_one_covers_nothing) {
  reset(&this_life);
  cr_assert_eq(reopen(&this_life), 0, "%s", error.text);
  cr_assert_eq(anchor.end, 0);
  cr_assert_eq(fold.execution_count, 0);
  cr_assert_eq(fold.last_execution_s, -1);
}

Test(checkpoint, what_was_stored_is_loaded_again) {
  reset(&this_life);
  store(500);
  memset(&fold, 0, sizeof fold);
  cr_assert_eq(reopen(&this_life), 0, "%s", error.text);
  cr_assert_eq(anchor.end, 500);
  cr_assert_eq(anchor.offset, 490);
  cr_assert_eq(anchor.hash, 77);
  cr_assert_eq(fold.execution_count, 5);
  cr_assert_float_eq(fold.quality_sum, 0.1, 0);
  memset(&fold, 0, sizeof fold);
  cr_assert_eq(checkpoint_peek(folder, &this_life, &anchor, &fold, &error), 0);
  cr_assert_eq(fold.execution_count, 5);
}

Test(checkpoint, finds_every_key_while_it_grows_and_none_it_was_not_given) {
  const unsigned long keys = 20000;

  reset(&this_life);
  add_keys(0, keys);
  cr_assert_eq(count_found(0, keys), keys);
  cr_assert_eq(count_found(keys, 2 * keys), 0);
  store(500);
  cr_assert_eq(reopen(&this_life), 0, "%s", error.text);
  cr_assert_eq(count_found(0, keys), keys);
  cr_assert_not(is_there(in_sandbox(CHECKPOINT_FILE ".new")));
}

Test(checkpoint, growing_says_no_more_than_what_was_stored_before) {
  reset(&this_life);
  store(500);
  add_keys(0, 1000);
  cr_assert_eq(reopen(&this_life), 0, "%s", error.text);
  cr_assert_eq(anchor.end, 500);
  cr_assert_eq(fold.execution_count, 5);
}

Test(checkpoint, the_same_entry_is_kept_once) {
  uint64_t offsets[8];
  size_t count;

  reset(&this_life);
  for (int i = 0; i < 1000; i++)
    cr_assert_eq(checkpoint_add(&checkpoint, key_text(1), 100, &error), 0);
  cr_assert_eq(checkpoint_find(&checkpoint, key_text(1), offsets, 8, &count, &error), 0);
  cr_assert_eq(count, 1);
  cr_assert_eq(checkpoint_add(&checkpoint, key_text(1), 300, &error), 0);
  cr_assert_eq(checkpoint_find(&checkpoint, key_text(1), offsets, 8, &count, &error), 0);
  cr_assert_eq(count, 2);
  cr_assert_eq(checkpoint_find(&checkpoint, key_text(1), offsets, 1, &count, &error), 0);
  cr_assert_eq(count, 1);
}

Test(checkpoint, what_a_killed_growth_left_is_in_nobodys_way) {
  put_file(in_sandbox(CHECKPOINT_FILE ".new"), "half");
  reset(&this_life);
  put_file(in_sandbox(CHECKPOINT_FILE ".new"), "half");
  add_keys(0, 1000);
  cr_assert_eq(count_found(0, 1000), 1000);
}

/* When it is not believed. */

Test(checkpoint, without_a_name_for_its_life_it_serves_its_process_and_nobody_later) {
  reset(&no_life);
  add_keys(0, 2000);
  cr_assert_eq(count_found(0, 2000), 2000);
  store(500);
  cr_assert_eq(reopen(&no_life), 0);
  cr_assert_eq(anchor.end, 0);
}

Test(checkpoint, a_header_with_any_byte_changed_is_not_believed) {
  size_t len, first_believed = 4096, last_refused = 0;
  char *bytes;

  reset(&this_life);
  store(500);
  checkpoint_close(&checkpoint);
  bytes = bytes_of_file(file(), &len);
  for (size_t i = 0; i < 4088; i++) {
    bytes[i] ^= 0x10;
    put_bytes(file(), 0, bytes, len);
    if (reopen(&this_life) == 1)
      last_refused = i;
    else if (first_believed > i)
      first_believed = i;
    bytes[i] ^= 0x10;
  }
  /* after the header nothing is read */
  cr_assert_geq(last_refused, sizeof fold + sizeof anchor);
  cr_assert_eq(first_believed, last_refused + 1);
}

Test(checkpoint, one_that_was_cut_anywhere_is_not_believed) {
  size_t len;
  char *bytes;

  reset(&this_life);
  add_keys(0, 1000);
  store(500);
  checkpoint_close(&checkpoint);
  bytes = bytes_of_file(file(), &len);
  for (size_t keep = 0; keep < len; keep += 509) {
    put_bytes(file(), O_TRUNC, bytes, keep);
    cr_assert_eq(reopen(&this_life), 1, "cut to %zu of %zu bytes", keep, len);
  }
}

Test(checkpoint, keys_added_to_kept_pages_are_found_at_once_and_in_the_file_after_the_flush) {
  static const unsigned long sizes[] = {1, 40, 63, 64, 500, 5000};

  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    reset(&this_life);
    checkpoint_keep(&checkpoint, sizes[i]);
    cr_assert_eq(count_found(0, sizes[i]), 0, "%lu keys", sizes[i]);
    add_keys(0, sizes[i]);
    cr_assert_eq(count_found(0, sizes[i]), sizes[i], "%lu keys, before the flush", sizes[i]);
    cr_assert_eq(checkpoint_flush(&checkpoint, &error), 0, "%s", error.text);
    store(500);
    cr_assert_eq(reopen(&this_life), 0, "%s", error.text);
    cr_assert_eq(count_found(0, sizes[i]), sizes[i], "%lu keys, after the flush", sizes[i]);
  }
}

Test(checkpoint, a_header_is_not_stored_before_the_keys_it_speaks_for) {
  reset(&this_life);
  checkpoint_keep(&checkpoint, 10);
  add_keys(0, 10);
  store(500);
  cr_assert_eq(reopen(&this_life), 0, "%s", error.text);
  cr_assert_eq(count_found(0, 10), 10);
}

Test(checkpoint, more_keys_than_room_to_keep_pages_are_kept_in_the_file) {
  reset(&this_life);
  add_keys(0, 1000);
  checkpoint_keep(&checkpoint, 2);
  add_keys(1000, 1300);
  cr_assert_eq(checkpoint_flush(&checkpoint, &error), 0, "%s", error.text);
  cr_assert_eq(count_found(0, 1300), 1300);
}

Test(checkpoint, a_page_with_any_byte_changed_is_damage_and_never_a_forgotten_key) {
  size_t len;
  char *bytes;

  reset(&this_life);
  add_keys(0, 50); /* they share the one page there is */
  store(500);
  bytes = bytes_of_file(file(), &len);
  for (size_t i = KEY_PAGES_AT; i < KEY_PAGES_AT + 16 + 50 * 16; i += 7) {
    uint64_t offsets[8];
    size_t count;

    bytes[i] ^= 0x40;
    put_bytes(file(), 0, bytes, len);
    cr_assert_eq(checkpoint_find(&checkpoint, key_text(7), offsets, 8, &count, &error), 1,
                 "byte %zu", i);
    cr_assert_eq(checkpoint_add(&checkpoint, key_text(500), 1, &error), 1, "byte %zu", i);
    bytes[i] ^= 0x40;
  }
}

Test(checkpoint, a_page_of_zeros_is_damage) {
  static const char zeros[4096];
  uint64_t offsets[8];
  size_t count;
  int fd;

  reset(&this_life);
  add_keys(0, 100);
  fd = open(file(), O_WRONLY | O_CLOEXEC);
  cr_assert_eq(pwrite(fd, zeros, sizeof zeros, KEY_PAGES_AT), 4096);
  (void)close(fd);
  cr_assert_eq(checkpoint_find(&checkpoint, key_text(7), offsets, 8, &count, &error), 1);
}

Test(checkpoint, one_cut_short_under_us_is_damage) {
  uint64_t offsets[8];
  size_t count;

  reset(&this_life);
  add_keys(0, 100);
  cr_assert_eq(truncate(file(), 0), 0);
  cr_assert_eq(checkpoint_find(&checkpoint, key_text(7), offsets, 8, &count, &error), 1);
  cr_assert_eq(checkpoint_add(&checkpoint, key_text(7), 700, &error), 1);
}

Test(checkpoint, one_put_in_its_place_by_another_process_is_noticed_when_storing) {
  struct checkpoint other;

  reset(&this_life);
  cr_assert_eq(checkpoint_reset(&other, folder, &this_life, &error), 0);
  cr_assert_eq(checkpoint_store(&checkpoint, &anchor, &fold, &error), 1);
  cr_assert_eq(checkpoint_store(&other, &anchor, &fold, &error), 0);
  checkpoint_close(&other);
  cr_assert_eq(unlink(file()), 0);
  cr_assert_eq(checkpoint_store(&checkpoint, &anchor, &fold, &error), 1);
}

/* Troubles of the file system. */

Test(checkpoint, a_file_that_may_not_grow_fails_by_name_and_keeps_its_keys) {
  struct host_guard guard;
  unsigned long added = 0;
  int result = 0;

  reset(&this_life);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){64 * 1024, RLIM_INFINITY}), 0);
  host_guard_enter(&guard);
  while (result == 0 && added < 100000)
    result = checkpoint_add(&checkpoint, key_text(added), 100 * added, &error),
    added += result == 0;
  host_guard_leave(&guard);
  cr_assert_eq(result, -1);
  cr_assert_eq(error.code, KAIZEN_E_IO);
  cr_assert(strstr(error.text, CHECKPOINT_FILE), "%s", error.text);
  cr_assert_eq(count_found(0, added), added);
  cr_assert_not(is_there(in_sandbox(CHECKPOINT_FILE ".new")));
}

Test(checkpoint, what_is_no_regular_file_is_refused_by_name) {
  cr_assert_eq(symlink("elsewhere", file()), 0);
  cr_assert_eq(reopen(&this_life), -1);
  cr_assert(strstr(error.text, CHECKPOINT_FILE ": a symbolic link"), "%s", error.text);
  cr_assert_eq(unlink(file()), 0);

  cr_assert_eq(mkfifo(file(), 0600), 0);
  cr_assert_eq(reopen(&this_life), -1);
  cr_assert(strstr(error.text, CHECKPOINT_FILE ": not a regular file"), "%s", error.text);
}
