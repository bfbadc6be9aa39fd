/* test_checkpoint.c - the file that makes a cold start short: what it keeps, and when it is not
 * believed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <kaizen/plugin.h>
#include <sys/resource.h>

#include "base/host_guard.h"
#include "store/checkpoint_point.h"

/* Three processes, or one before and after it was started again. */
static struct project this_life = {.life = {1, 2, 3}};
static struct project later_life = {.life = {1, 2, 4}};
static struct project no_life; /* without entropy */

static int folder;
static struct checkpoint checkpoint;
static struct log_anchor anchor;
static struct fold fold;
static struct error error;

static void set_up(void) {
  struct stat status;

  sandbox_enter();
  folder = open(sandbox.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  cr_assert_eq(fstat(folder, &status), 0);
  this_life.device = later_life.device = no_life.device = status.st_dev;
  checkpoint.pages.fd = -1;
}

static void tear_down(void) {
  checkpoint_close(&checkpoint);
  (void)close(folder);
  sandbox_leave();
}

TestSuite(checkpoint, .init = set_up, .fini = tear_down);

static const char *file(void) {
  return in_sandbox(CHECKPOINT_FILE);
}

static void reset(const struct project *project) {
  checkpoint_close(&checkpoint);
  cr_assert_eq(checkpoint_reset(&checkpoint, folder, project, &error), 0, "%s", error.text);
}

static int reopen(const struct project *project) {
  checkpoint_close(&checkpoint);
  return checkpoint_open(&checkpoint, folder, project, &anchor, &fold, &error);
}

static struct span key_text(unsigned long number) {
  static char text[32];

  return (struct span){text, (size_t)snprintf(text, sizeof text, "key-%lu", number)};
}

static void add_keys(unsigned long from, unsigned long to) {
  for (unsigned long i = from; i < to; i++)
    cr_assert_eq(checkpoint_add(&checkpoint, key_text(i), 100 * i, &error), 0, "%lu: %s", i,
                 error.text);
}

static bool finds(unsigned long number) {
  uint64_t offsets[8];
  size_t count;

  cr_assert_eq(checkpoint_find(&checkpoint, key_text(number), offsets, 8, &count, &error), 0, "%s",
               error.text);
  for (size_t i = 0; i < count; i++)
    if (offsets[i] == 100 * number)
      return true;
  return false;
}

static unsigned long count_found(unsigned long from, unsigned long to) {
  unsigned long found = 0;

  for (unsigned long i = from; i < to; i++)
    found += finds(i);
  return found;
}

static void store(uint64_t end) {
  struct log_anchor at = {.end = end, .offset = end - 10, .hash = 77};

  fold_init(&fold);
  fold.execution_count = 5;
  fold.quality_sum = 0.1;
  cr_assert_eq(checkpoint_store(&checkpoint, &at, &fold, &error), 0, "%s", error.text);
}

static void put_at(const char *path, const void *bytes, size_t len, off_t offset) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);

  cr_assert_eq(pwrite(fd, bytes, len, offset), (ssize_t)len);
  (void)close(fd);
}

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

/* What survives a loss of power, or stands in a snapshot of the disk. */

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

Test(checkpoint, whoever_comes_later_goes_on_from_what_was_made_durable) {
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

Test(checkpoint, the_head_is_believed_while_anybody_has_had_the_file_open_since) {
  struct checkpoint other;

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

Test(checkpoint, a_head_that_was_written_to_another_file_is_not_believed) {
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

Test(checkpoint, pages_older_than_the_head_cost_no_key_that_was_made_durable) {
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

Test(checkpoint, the_older_slot_counts_while_the_newer_is_torn) {
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

Test(checkpoint, a_point_that_another_process_was_ahead_of_changes_nothing) {
  struct checkpoint_point late, early;

  reset(&this_life);
  take_point(200, &early);
  take_point(300, &late);
  cr_assert_eq(checkpoint_point_sync(&late), 0);
  cr_assert_eq(checkpoint_point_sync(&early), 1);
  checkpoint_close(&checkpoint);
  expect_end("the late one", &later_life, 300);
}

Test(checkpoint, a_larger_table_is_not_durable_before_it_was_synced_itself) {
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

Test(checkpoint, a_failed_sync_of_the_log_ends_it_for_this_boot_and_this_file) {
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

Test(checkpoint, a_failed_sync_of_the_recorder_is_known_to_all_who_open_it) {
  struct checkpoint other;

  reset(&this_life);
  checkpoint_doubt_log(&checkpoint);
  cr_assert_eq(checkpoint_open(&other, folder, &later_life, &anchor, &fold, &error), 0);
  checkpoint_close(&checkpoint);
  checkpoint = other;
  cr_assert_eq(make_durable(300), 1);
}

Test(checkpoint, keys_whose_sync_failed_are_collected_anew_by_whoever_opens_it_next) {
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
