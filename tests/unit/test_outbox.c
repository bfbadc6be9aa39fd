/* test_outbox.c - a log as outbox: places in it, and what was sent of it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "outbox_project.h"

#include "store/agent_view.h"

TestSuite(outbox, .init = make_project, .fini = remove_project);

static unsigned count_from(uint64_t offset) {
  struct line_reader reader;
  struct outbox_line line;
  struct error error;
  unsigned count = 0;

  outbox_read_from(&outbox, offset, &reader);
  while (outbox_next_marked(&reader, &line, &error) == 1)
    count++;
  line_reader_fini(&reader);
  return count;
}

Test(outbox, only_marked_lines_are_read) {
  append_marked(1);
  append_other("{\"timestamp\":\"2025-01-02T03:04:05Z\",\"agent\":\"coach\",\"success\":true}\n");
  append_other("garbage with event_id in it\n\n");
  append_marked(2);
  look();
  cr_assert_eq(count_from(0), 2);
}

Test(outbox, a_mark_that_is_spelt_with_escapes_is_one) {
  append_other("{\"timestamp\":\"2025-01-02T03:04:05Z\",\"agent\":\"coach\",\"success\":true,"
               "\"event\\u005fid\":\"3b241101-e2bb-4255-8caf-4136c566a962\",\"event\":{}}\n");
  look();
  cr_assert_eq(count_from(0), 1);
}

Test(outbox, an_unfinished_line_is_left_for_later) {
  append_marked(1);
  append_other("{\"timestamp\":\"2025");
  look();
  cr_assert_eq(count_from(0), 1);
}

Test(outbox, what_is_appended_after_the_look_is_not_read) {
  append_marked(1);
  look();
  append_marked(2);
  cr_assert_eq(count_from(0), 1);
  look();
  cr_assert_eq(count_from(0), 2);
}

/* A restored tree's events are held; then a program without our lock prunes the log, and nobody
 * publishes who would count again. */
Test(outbox, held_events_are_no_more_than_are_pending) {
  struct agent_state state = {0};
  struct fold fold = {.marked = 5, .last_marked_end = 10000};
  struct agent_view_limits limits = agent_view_patience(5000);
  struct agent_view view;
  struct error error = {0};

  append_marked(4);
  append_marked(5);
  id_of(5, fold.last_marked_id);
  cursor_begin(&state.cursor, 0);
  cursor_hold(&state.cursor, &fold);
  cr_assert_eq(project_identity(&project, state.project_id, &error), 0, "%s", error.text);
  cr_assert_eq(agent_state_store(agent_fd, &state, false, &error), 0, "%s", error.text);
  cr_assert_eq(agent_view_read(&project, "coach", &limits, &view, &error), 0, "%s", error.text);
  cr_assert_eq(view.fold.marked, 2);
  cr_assert_eq(view.pending, 2);
  cr_assert_eq(view.held, 2);
}

/* Where the file system can keep such a time; how long ago that is, no number of nanoseconds can
 * tell. */
Test(outbox, a_log_may_be_of_any_time) {
  static const int64_t years[] = {1500, 1678, 1970, 2200, 2500};
  struct agent_view_limits limits = agent_view_patience(5000);
  struct error error = {0};

  append_marked(1);
  for (size_t i = 0; i < sizeof years / sizeof *years; i++) {
    const struct timespec when = {.tv_sec = (years[i] - 1970) * 31556952};
    struct agent_view view;

    cr_assert_eq(utimensat(agent_fd, AGENT_LOG_FILE, (const struct timespec[]){when, when}, 0), 0);
    cr_assert_eq(agent_view_read(&project, "coach", &limits, &view, &error), 0, "%s", error.text);
    cr_assert_eq(view.fold.marked, 1);
  }
}

Test(outbox, a_log_of_another_inode_is_opened_by_its_name) {
  append_marked(1);
  look();
  write_file(agent_fd, "spare", O_TRUNC, "");
  cr_assert_eq(renameat(agent_fd, "spare", agent_fd, "executions.jsonl"), 0);
  append_marked(2);
  append_marked(3);
  look();
  cr_assert_eq(count_from(0), 2);
}

/* A host that closes what it did not open, and then opens a file of its own under that number. */
Test(outbox, a_log_whose_descriptor_is_another_files_is_opened_again) {
  int own, fd;

  append_marked(1);
  append_marked(2);
  look();
  write_file(agent_fd, "spare", O_TRUNC, "the host's own\n");
  own = openat(agent_fd, "spare", O_RDWR | O_CLOEXEC);
  fd = outbox.log_fd;
  cr_assert_eq(dup2(own, fd), fd);
  look();
  cr_assert_eq(count_from(0), 2);
  cr_assert_geq(fcntl(fd, F_GETFD), 0, "the host's file was closed");
  (void)close(own);
}

Test(outbox, a_line_is_known_by_its_end_and_its_id) {
  unsigned char one[16], two[16];
  struct error error = {0};
  uint64_t end_of_one;

  id_of(1, one);
  id_of(2, two);
  append_marked(1);
  look();
  end_of_one = outbox.committed_end;
  append_marked(2);
  look();
  cr_assert_eq(outbox_line_ends_at(&outbox, end_of_one, one, &error), 0);
  cr_assert_eq(outbox_line_ends_at(&outbox, end_of_one, two, &error), 1);
  cr_assert_eq(outbox_line_ends_at(&outbox, outbox.committed_end, two, &error), 0);
  cr_assert_eq(outbox_line_ends_at(&outbox, end_of_one - 1, one, &error), 1);
  cr_assert_eq(outbox_line_ends_at(&outbox, outbox.committed_end + 1, two, &error), 1);
  cr_assert_eq(outbox_line_ends_at(&outbox, 0, one, &error), 1);
}

Test(outbox, the_newest_known_line_that_is_left_is_the_place) {
  unsigned char id[16];
  struct cursor_progress progress;
  struct cursor_search found;
  struct error error;
  static const struct {
    const char *name;
    unsigned known[3], index;
    uint64_t marked;
  } cases[] = {
      {"the newest is there", {4, 3, 2}, 0, 4},
      {"the newest is gone", {9, 3, 2}, 1, 3},
      {"only the oldest is there", {9, 8, 2}, 2, 2},
      {"none is there", {9, 8, 7}, 3, 0},
  };

  for (unsigned n = 1; n <= 5; n++)
    append_marked(n);
  look();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct agent_state state = {0};
    struct cursor *cursor = &state.cursor;

    cursor_progress_begin(&progress, 0, cursor_line_id(cursor), 0);
    for (unsigned k = 3; k-- > 0;) {
      id_of(cases[i].known[k], id);
      cursor_progress_pass(&progress, id, 0, false);
    }
    cr_assert_eq(cursor_advance(cursor, &progress, false), 0);
    cr_assert_eq(outbox_find(&outbox, &state, &found, &error), 0);
    cr_assert_eq(found.index, cases[i].index, "%s", cases[i].name);
    cr_assert_eq(found.marked, cases[i].marked, "%s", cases[i].name);
    cr_assert_eq(found.total, 5, "%s", cases[i].name);
    cr_assert_eq(count_from(found.end), 5 - cases[i].marked, "%s", cases[i].name);
  }
}

Test(outbox, a_removed_lock_is_noticed) {
  struct error error = {0};

  append_marked(1);
  look();
  cr_assert_eq(unlinkat(agent_fd, ".lock", 0), 0);
  cr_assert_eq(outbox_look(&outbox, clock_monotonic_ns() + 1000000000, NULL, NULL, &error),
               OUTBOX_GONE);
}
