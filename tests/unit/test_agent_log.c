/* test_agent_log.c - whole lines at the end of a file that others append to, cut and replace.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <kaizen/plugin.h>
#include <sys/resource.h>

#include "base/host_guard.h"
#include "base/line_reader.h"
#include "store/agent_log.h"

#define FOREIGN "{\"agent\":\"coach\",\"success\":true}\n"

static int folder, root;
static struct agent_log log_file;
static struct error error;
static enum agent_log_outcome outcome;

static void set_up(void) {
  sandbox_enter();
  make_agent_folder("coach");
  root = open(sandbox.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  folder = open(in_sandbox(".kaizen/metrics/coach"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  cr_assert_eq(agent_log_open(&log_file, folder, true, &error), 0, "%s", error.text);
}

static void tear_down(void) {
  agent_log_close(&log_file);
  (void)close(folder);
  (void)close(root);
  sandbox_leave();
}

TestSuite(agent_log, .init = set_up, .fini = tear_down);

static const char *file(void) {
  return agent_file("coach", AGENT_LOG_FILE);
}

static int append(const char *text, uint64_t size) {
  return agent_log_append(&log_file, (struct span){text, strlen(text)}, size, &outcome, &error);
}

/* Makes the next sync fail: a pipe has none. */
static void break_sync(void) {
  int ends[2];

  cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
  cr_assert_geq(dup3(ends[1], log_file.fd, O_CLOEXEC), 0);
  (void)close(ends[0]);
  (void)close(ends[1]);
}

static void mend_sync(void) {
  int fd = open(file(), O_RDWR | O_APPEND | O_CLOEXEC);

  cr_assert_geq(dup3(fd, log_file.fd, O_CLOEXEC), 0);
  (void)close(fd);
}

/* Opening. */

Test(agent_log, reading_does_not_make_a_log) {
  struct agent_log other;

  cr_assert_eq(unlink(file()), 0);
  cr_assert_eq(agent_log_open(&other, folder, false, &error), 1);
  cr_assert_not(is_there(file()));
}

Test(agent_log, a_log_is_private) {
  struct stat status;

  cr_assert_eq(stat(file(), &status), 0);
  cr_assert_eq(status.st_mode & 07777, 0600);
  cr_assert_eq(fcntl(log_file.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

Test(agent_log, is_in_place_until_its_name_means_another_file) {
  uint64_t size = 0;

  append_to_file(file(), "12345\n");
  cr_assert_eq(agent_log_in_place(&log_file, root, "coach", &size, &error), 0);
  cr_assert_eq(size, 6);
  cr_assert_eq(rename(file(), in_sandbox("moved")), 0);
  cr_assert_eq(agent_log_in_place(&log_file, root, "coach", &size, &error), 1);
  put_file(file(), "12345\n");
  cr_assert_eq(agent_log_in_place(&log_file, root, "coach", &size, &error), 1);
  cr_assert_eq(rename(in_sandbox("moved"), file()), 0);
  cr_assert_eq(agent_log_in_place(&log_file, root, "coach", &size, &error), 0);
}

Test(agent_log, is_not_in_place_behind_a_link_to_where_it_was_moved) {
  static const char *const folders[] = {".kaizen", ".kaizen/metrics", ".kaizen/metrics/coach"};
  uint64_t size;

  for (size_t i = 0; i < 3; i++) {
    cr_assert_eq(rename(in_sandbox("%s", folders[i]), in_sandbox("moved")), 0);
    cr_assert_eq(symlink(in_sandbox("moved"), in_sandbox("%s", folders[i])), 0);
    cr_expect_eq(agent_log_in_place(&log_file, root, "coach", &size, &error), -1, "%s", folders[i]);
    cr_expect(strstr(error.text, "symbolic link"), "%s: %s", folders[i], error.text);
    cr_assert_eq(unlink(in_sandbox("%s", folders[i])), 0);
    cr_assert_eq(rename(in_sandbox("moved"), in_sandbox("%s", folders[i])), 0);
    cr_assert_eq(agent_log_in_place(&log_file, root, "coach", &size, &error), 0, "%s", error.text);
  }
  cr_assert_eq(link(file(), in_sandbox("second name")), 0);
  cr_assert_eq(agent_log_in_place(&log_file, root, "coach", &size, &error), -1);
  cr_assert(strstr(error.text, "hard links"), "%s", error.text);
}

/* Appending. */

Test(agent_log, a_line_lands_at_the_end) {
  cr_assert_eq(append("one\n", 0), 0, "%s", error.text);
  cr_assert_eq(outcome, AGENT_LOG_APPENDED);
  cr_assert_eq(append("two\nthree\n", 4), 0, "%s", error.text);
  cr_assert_eq(outcome, AGENT_LOG_APPENDED);
  cr_assert_str_eq(text_of_file(file()), "one\ntwo\nthree\n");
}

Test(agent_log, whole_lines_that_came_between_displace_ours) {
  append_to_file(file(), FOREIGN);
  cr_assert_eq(append("ours\n", 0), 0, "%s", error.text);
  cr_assert_eq(outcome, AGENT_LOG_DISPLACED);
  cr_assert_str_eq(text_of_file(file()), FOREIGN "ours\n");
}

Test(agent_log, a_torn_piece_that_came_between_does_not_take_our_line) {
  const char *ours = "{\"agent\":\"coach\",\"success\":false}\n";

  append_to_file(file(), "{\"agent\":\"coa");
  cr_assert_eq(append(ours, 0), 0, "%s", error.text);
  cr_assert_eq(outcome, AGENT_LOG_DISPLACED);
  cr_assert_str_eq(text_of_file(file()), "{\"agent\":\"coa{\"agent\":\"coach\",\"success\":false}\n"
                                         "\n{\"agent\":\"coach\",\"success\":false}\n");
}

Test(agent_log, a_torn_piece_behind_whole_lines_does_not_take_our_line_either) {
  append_to_file(file(), FOREIGN FOREIGN "{\"agent\":");
  cr_assert_eq(append(FOREIGN FOREIGN, 0), 0, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()),
                   FOREIGN FOREIGN "{\"agent\":" FOREIGN FOREIGN "\n" FOREIGN);
}

Test(agent_log, what_a_cut_left_before_our_line_does_not_take_it) {
  put_file(file(), FOREIGN FOREIGN);
  cr_assert_eq(truncate(file(), strlen(FOREIGN) + 9), 0);
  cr_assert_eq(append(FOREIGN, 2 * strlen(FOREIGN)), 0, "%s", error.text);
  cr_assert_eq(outcome, AGENT_LOG_DISPLACED);
  cr_assert_eq(count_in(text_of_file(file()), "\n" FOREIGN), 1, "%s", text_of_file(file()));
}

Test(agent_log, a_newline_that_ends_a_torn_tail_needs_no_second_try) {
  append_to_file(file(), "torn");
  cr_assert_eq(append("\n" FOREIGN, 0), 0, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()), "torn\n" FOREIGN);
}

/* Roll-back. */

static int append_with_limit(const char *text, uint64_t size, rlim_t limit) {
  struct host_guard guard;
  struct rlimit saved;
  int result;

  cr_assert_eq(getrlimit(RLIMIT_FSIZE, &saved), 0);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, saved.rlim_max}), 0);
  host_guard_enter(&guard);
  result = append(text, size);
  host_guard_leave(&guard);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &saved), 0);
  return result;
}

Test(agent_log, a_write_cut_short_leaves_nothing_behind) {
  for (rlim_t room = 0; room < strlen(FOREIGN FOREIGN); room++) {
    uint64_t size = size_of_file(file());

    cr_assert_eq(append_with_limit(FOREIGN FOREIGN, size, size + room), -1);
    cr_assert_eq(error.code, KAIZEN_E_IO, "%s", error.text);
    cr_assert(strstr(error.text, AGENT_LOG_FILE ": nothing was recorded"), "%s", error.text);
    cr_assert_eq(size_of_file(file()), size, "with room for %lu bytes", (unsigned long)room);
    cr_assert_eq(append(FOREIGN, size), 0, "%s", error.text);
  }
  cr_assert_eq(lines_of_file(file()), 2 * strlen(FOREIGN));
}

Test(agent_log, a_failed_sync_takes_our_line_back) {
  cr_assert_eq(append(FOREIGN, 0), 0);
  cr_assert_eq(agent_log_sync(&log_file, strlen(FOREIGN), &error), 0, "%s", error.text);
  cr_assert_eq(append("ours\n", strlen(FOREIGN)), 0);
  break_sync();
  cr_assert_eq(agent_log_sync(&log_file, strlen(FOREIGN) + 5, &error), -1);
  cr_assert_eq(error.code, KAIZEN_E_INDETERMINATE);
  cr_assert_str_eq(text_of_file(file()), FOREIGN);
}

Test(agent_log, a_foreign_line_behind_ours_survives_our_roll_back) {
  cr_assert_eq(append("ours, to be taken back\n", 0), 0);
  append_to_file(file(), FOREIGN);
  break_sync();
  cr_assert_eq(agent_log_sync(&log_file, 23, &error), -1);
  cr_assert_str_eq(text_of_file(file()), "                      \n" FOREIGN);
}

Test(agent_log, pieces_on_both_sides_of_a_foreign_line_are_taken_back) {
  append_to_file(file(), "{\"agent\":");
  cr_assert_eq(append(FOREIGN, 0), 0);
  append_to_file(file(), FOREIGN);
  break_sync();
  cr_assert_eq(agent_log_sync(&log_file, size_of_file(file()), &error), -1);
  cr_assert_eq(count_in(text_of_file(file()), FOREIGN), 1, "%s", text_of_file(file()));
  cr_assert_eq(count_in(text_of_file(file()), "success"), 1, "%s", text_of_file(file()));
}

Test(agent_log, a_long_batch_is_taken_back_whole) {
  size_t len = 100000;

  cr_assert_eq(append(FOREIGN, 0), 0);
  cr_assert_eq(append(line_of_length(len), strlen(FOREIGN)), 0);
  append_to_file(file(), FOREIGN);
  break_sync();
  cr_assert_eq(agent_log_sync(&log_file, strlen(FOREIGN) + len, &error), -1);
  cr_assert_eq(count_in(text_of_file(file()), "x"), 0);
  cr_assert_eq(lines_of_file(file()), 3);
}

Test(agent_log, a_log_moved_away_meanwhile_is_not_overwritten) {
  cr_assert_eq(append("ours\n", 0), 0);
  cr_assert_eq(rename(file(), in_sandbox("moved")), 0);
  put_file(file(), "somebody else's\n");
  break_sync();
  cr_assert_eq(agent_log_sync(&log_file, 5, &error), -1);
  cr_assert_eq(error.code, KAIZEN_E_INDETERMINATE);
  cr_assert_str_eq(text_of_file(file()), "somebody else's\n");
}

/* What is durable. */

Test(agent_log, what_was_not_durable_when_a_sync_failed_is_doubted_from_then_on) {
  cr_assert_eq(append("durable\n", 0), 0);
  cr_assert_eq(agent_log_sync(&log_file, 8, &error), 0);
  append_to_file(file(), "left unsynced\n");
  cr_assert(agent_log_is_synced(&log_file, 0, 8));
  cr_assert_not(agent_log_is_synced(&log_file, 8, 14));
  cr_assert_eq(append("ours\n", 22), 0);
  break_sync();
  cr_assert_eq(agent_log_sync(&log_file, 27, &error), -1);
  mend_sync();

  cr_assert_eq(append("next\n", 22), 0);
  cr_assert_eq(agent_log_sync(&log_file, 27, &error), 0, "%s", error.text);
  cr_assert(agent_log_is_synced(&log_file, 0, 8));
  cr_assert_not(agent_log_is_synced(&log_file, 8, 14), "a second sync was believed");
  cr_assert_eq(append("later\n", 27), 0);
  cr_assert_eq(agent_log_sync(&log_file, 33, &error), 0, "%s", error.text);
  cr_assert(agent_log_is_synced(&log_file, 27, 6));

  cr_assert_eq(agent_log_prepare_sync(&log_file, 8, (struct span){"left unsynced", 13}, &error), 0);
  cr_assert_str_eq(text_of_file(file()), "durable\nleft unsynced\nnext\nlater\n");
  agent_log_forget_syncs(&log_file);
  cr_assert_not(agent_log_is_synced(&log_file, 0, 8));
}

/* Anchors and single lines. */

static struct log_anchor anchor_of(const char *line, uint64_t offset) {
  size_t len = strlen(line);

  return (struct log_anchor){.end = offset + len,
                             .offset = offset,
                             .hash = agent_log_anchor_hash((struct span){line, len}),
                             .inode = log_file.inode};
}

Test(agent_log, an_anchor_knows_its_line_again) {
  struct log_anchor anchor = anchor_of("second\n", 6), none = {0};

  append_to_file(file(), "first\nsecond\nthird\n");
  cr_assert_eq(agent_log_check_anchor(&log_file, &anchor, &error), 0);
  cr_assert_eq(agent_log_check_anchor(&log_file, &none, &error), 0);
  put_file(file(), "first\nsecand\nthird\n");
  cr_assert_eq(agent_log_check_anchor(&log_file, &anchor, &error), 1);
  put_file(file(), "first\nsec");
  cr_assert_eq(agent_log_check_anchor(&log_file, &anchor, &error), 1);
  put_file(file(), "");
  cr_assert_eq(agent_log_check_anchor(&log_file, &anchor, &error), 1);
}

Test(agent_log, an_anchor_of_a_long_line_is_its_end_and_length) {
  char line[10001] = "";
  struct log_anchor anchor;

  memset(line, 'x', 9999);
  line[9999] = '\n';
  anchor = anchor_of(line, 0);
  append_to_file(file(), line);
  cr_assert_eq(agent_log_check_anchor(&log_file, &anchor, &error), 0);
  line[9998] = 'y';
  put_file(file(), line);
  cr_assert_eq(agent_log_check_anchor(&log_file, &anchor, &error), 1);
}

Test(agent_log, reads_one_line_of_any_length) {
  struct buffer line = {0};
  char *text = malloc(300001);

  cr_assert(text);
  memset(text, 'x', 300000);
  text[0] = text[299999] = '\n';
  text[300000] = '\0';
  append_to_file(file(), text);
  append_to_file(file(), "torn");
  cr_assert_eq(agent_log_read_line(log_file.fd, 0, &line, &error), 0);
  cr_assert_eq(line.len, 0);
  cr_assert_eq(agent_log_read_line(log_file.fd, 1, &line, &error), 0);
  cr_assert_eq(line.len, 299998);
  cr_assert_eq(agent_log_read_line(log_file.fd, 300000, &line, &error), 1);
  cr_assert_eq(agent_log_read_line(log_file.fd, 400000, &line, &error), 1);
  buffer_fini(&line);
  free(text);
}

/* The reader of many lines. */

static size_t read_lines(uint64_t from, uint64_t end, size_t *too_long, uint64_t *rest) {
  struct line_reader reader;
  struct line line;
  size_t count = 0;

  *too_long = 0;
  line_reader_init(&reader, log_file.fd, from, end);
  while (line_reader_next(&reader, &line, &error) == 1) {
    count++;
    *too_long += line.too_long;
    cr_assert(line.too_long || line.end == line.offset + line.text.len + 1);
  }
  cr_assert_eq(line_reader_next(&reader, &line, &error), 0, "asked again at the end");
  *rest = reader.offset;
  line_reader_fini(&reader);
  return count;
}

Test(agent_log, from_behind_the_end_no_line_is_read) {
  size_t too_long;
  uint64_t rest;

  append_to_file(file(), "one\ntwo\nthree\n");
  cr_assert_eq(read_lines(8, 4, &too_long, &rest), 0);
  cr_assert_eq(rest, 8);
}

Test(agent_log, a_line_too_long_to_keep_is_passed_and_its_neighbours_are_not) {
  size_t len = 3 << 20, too_long;
  char *text = line_of_length(len);
  uint64_t rest;

  append_to_file(file(), "before\n");
  append_to_file(file(), text);
  append_to_file(file(), "after\n");
  cr_assert_eq(read_lines(0, UINT64_MAX, &too_long, &rest), 3);
  cr_assert_eq(too_long, 1);
  cr_assert_eq(rest, len + 13);

  text[len - 1] = 'x';
  append_to_file(file(), text);
  cr_assert_eq(read_lines(0, UINT64_MAX, &too_long, &rest), 3);
  cr_assert_eq(rest, len + 13, "an unfinished long line begins where the last one ended");
}

Test(agent_log, nothing_behind_the_end_of_a_range_is_read) {
  size_t too_long;
  uint64_t rest;

  append_to_file(file(), "one\ntwo\nthree\n");
  cr_assert_eq(read_lines(0, 8, &too_long, &rest), 2);
  cr_assert_eq(rest, 8);
  cr_assert_eq(read_lines(0, 9, &too_long, &rest), 2);
  cr_assert_eq(rest, 8);
  cr_assert_eq(read_lines(4, 14, &too_long, &rest), 2);
  cr_assert_eq(read_lines(14, 14, &too_long, &rest), 0);
}
