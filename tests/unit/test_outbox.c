/* test_outbox.c - a log as outbox: places in it, the doorbell beside it, its dead letters.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "store/agent_view.h"
#include "store/dead_letter.h"
#include "store/doorbell.h"
#include "store/outbox.h"
#include "store/project_identity.h"

static char root[] = "/tmp/kaizen-outbox-XXXXXX";
static struct project project;
static struct outbox outbox;
static int metrics_fd = -1, agent_fd = -1;

static void make_project(void) {
  struct error error = {0};

  cr_assert_not_null(mkdtemp(root));
  cr_assert_eq(project_open(&project, root, true, false, &error), 0, "%s", error.text);
  cr_assert_eq(project_metrics_folder(&project, true, &metrics_fd, &error), 0);
  cr_assert_eq(project_agent_folder(&project, "coach", true, &agent_fd, &error), 0);
}

static void remove_project(void) {
  static const char *const files[] = {"executions.jsonl", ".lock", ".next", ".state",
                                      ".dead-letter.jsonl"};

  outbox_close(&outbox);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    (void)unlinkat(agent_fd, files[i], 0);
  (void)unlinkat(metrics_fd, ".doorbell", 0);
  (void)unlinkat(metrics_fd, ".id", 0);
  (void)unlinkat(metrics_fd, "coach", AT_REMOVEDIR);
  (void)unlinkat(metrics_fd, ".gitignore", 0);
  (void)unlinkat(project.root_fd, ".kaizen/metrics", AT_REMOVEDIR);
  (void)unlinkat(project.root_fd, ".kaizen", AT_REMOVEDIR);
  (void)rmdir(root);
  (void)close(agent_fd);
  (void)close(metrics_fd);
  project_close(&project);
}

static struct doorbell_button button;

static void make_project_and_button(void) {
  make_project();
  doorbell_button_init(&button);
}

static void remove_project_and_button(void) {
  doorbell_button_close(&button);
  remove_project();
}

TestSuite(outbox, .init = make_project, .fini = remove_project);
TestSuite(doorbell, .init = make_project_and_button, .fini = remove_project_and_button);
TestSuite(dead_letter, .init = make_project, .fini = remove_project);

static void write_file(int folder, const char *name, int flags, const char *text) {
  int fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

  cr_assert_geq(fd, 0);
  cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  (void)close(fd);
}

/* Event number n has an id that shows it. */
static void id_of(unsigned n, unsigned char id[16]) {
  memset(id, 0, 16);
  id[6] = 0x40;
  id[8] = 0x80;
  id[15] = (unsigned char)n;
}

static void append_marked(unsigned n) {
  unsigned char id[16];
  char id_text[UUID_TEXT_SIZE], line[512];

  id_of(n, id);
  uuid_unpack(id, id_text);
  (void)snprintf(line, sizeof line,
                 "{\"timestamp\":\"2025-01-02T03:04:05Z\",\"agent\":\"coach\",\"success\":true,"
                 "\"event_id\":\"%s\",\"event\":{\"project\":\"p\",\"success_rate\":1.0,"
                 "\"execution_count\":%u,\"avg_quality\":0.0}}\n",
                 id_text, n);
  write_file(agent_fd, "executions.jsonl", O_APPEND, line);
}

static void append_other(const char *text) {
  write_file(agent_fd, "executions.jsonl", O_APPEND, text);
}

static void look(void) {
  struct error error = {0};

  if (outbox.agent_fd <= 0)
    cr_assert_eq(outbox_open(&outbox, &project, "coach", &error), 0, "%s", error.text);
  cr_assert_eq(outbox_look(&outbox, clock_monotonic_ns() + 1000000000, NULL, NULL, &error),
               OUTBOX_SEEN, "%s", error.text);
}

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

/* The doorbell. */

#define TRUST_LOOK_NS 1000000 /* as long as a look at a bell is trusted */

static char heard[256];

static void hear(void *ctx, const char *agent) {
  size_t used = strlen(heard);

  (void)ctx;
  (void)snprintf(heard + used, sizeof heard - used, "%s ", agent);
}

static bool listen_to(struct doorbell *doorbell) {
  heard[0] = '\0';
  return doorbell_listen(doorbell, metrics_fd, hear, NULL);
}

Test(doorbell, names_are_heard_once_and_in_order) {
  struct doorbell doorbell;

  doorbell_init(&doorbell);
  cr_assert_not(listen_to(&doorbell), "nobody ever rang");
  doorbell_ring(&button, &project, "early");
  cr_assert(listen_to(&doorbell), "whatever rang before must be looked for");
  doorbell_ring(&button, &project, "coach");
  doorbell_ring(&button, &project, "scribe");
  cr_assert_not(listen_to(&doorbell));
  cr_assert(strstr(heard, "coach scribe ") != NULL, "%s", heard);
  cr_assert_not(listen_to(&doorbell));
  cr_assert_str_eq(heard, "");
  doorbell_close(&doorbell);
}

Test(doorbell, what_is_no_name_is_not_heard) {
  struct doorbell doorbell;

  doorbell_init(&doorbell);
  doorbell_ring(&button, &project, "coach");
  (void)listen_to(&doorbell);
  (void)listen_to(&doorbell);
  write_file(metrics_fd, ".doorbell", O_APPEND, "../../etc\n\n.hidden\noptimizer\nscribe\nhalf");
  (void)listen_to(&doorbell);
  cr_assert_str_eq(heard, "scribe ");
  write_file(metrics_fd, ".doorbell", O_APPEND, "way\n");
  (void)listen_to(&doorbell);
  cr_assert_str_eq(heard, "halfway ");
  doorbell_close(&doorbell);
}

Test(doorbell, a_long_one_is_cut_and_every_agent_looked_at) {
  struct doorbell doorbell;

  doorbell_init(&doorbell);
  for (int i = 0; i < 20000; i++)
    doorbell_ring(&button, &project, "coach");
  cr_assert(listen_to(&doorbell));
  cr_assert_leq(lseek(doorbell.fd, 0, SEEK_END), (64 << 10) + 64, "nobody rings a full bell");
  cr_assert(listen_to(&doorbell));
  cr_assert_eq(lseek(doorbell.fd, 0, SEEK_END), 0);
  doorbell_ring(&button, &project, "scribe");
  (void)listen_to(&doorbell);
  cr_assert(strstr(heard, "scribe") != NULL, "one that was cut is rung at once");
  doorbell_close(&doorbell);
}

Test(doorbell, a_removed_one_is_replaced) {
  struct doorbell doorbell;

  doorbell_init(&doorbell);
  doorbell_ring(&button, &project, "coach");
  (void)listen_to(&doorbell);
  cr_assert_eq(unlinkat(metrics_fd, ".doorbell", 0), 0);
  button.looked_ns -= TRUST_LOOK_NS;
  doorbell_ring(&button, &project, "scribe");
  cr_assert(listen_to(&doorbell));
  (void)listen_to(&doorbell);
  doorbell_ring(&button, &project, "judge");
  (void)listen_to(&doorbell);
  cr_assert(strstr(heard, "judge") != NULL);
  doorbell_close(&doorbell);
}

Test(doorbell, what_was_rung_into_a_removed_one_is_looked_for) {
  struct doorbell doorbell;

  doorbell_init(&doorbell);
  doorbell_ring(&button, &project, "coach");
  (void)listen_to(&doorbell);
  cr_assert_eq(unlinkat(metrics_fd, ".doorbell", 0), 0);
  cr_assert(listen_to(&doorbell), "it was removed");
  cr_assert(doorbell.removed_ns > 0);
  doorbell.removed_ns -= TRUST_LOOK_NS;
  cr_assert(listen_to(&doorbell), "another may have rung it since then");
  cr_assert_not(listen_to(&doorbell));
  doorbell_close(&doorbell);
}

Test(doorbell, one_that_was_moved_away_is_left_within_a_second) {
  struct doorbell doorbell;
  struct error error;
  int moved_fd;

  doorbell_init(&doorbell);
  doorbell_ring(&button, &project, "early");
  cr_assert_eq(renameat(project.root_fd, ".kaizen/metrics", project.root_fd, ".kaizen/old"), 0);
  moved_fd = metrics_fd;
  cr_assert_eq(project_metrics_folder(&project, true, &metrics_fd, &error), 0);
  button.opened_ns -= 1000000000;
  doorbell_ring(&button, &project, "coach");
  cr_assert(listen_to(&doorbell), "it rang where the name leads now");
  doorbell_close(&doorbell);
  (void)unlinkat(metrics_fd, ".doorbell", 0);
  (void)unlinkat(metrics_fd, ".gitignore", 0);
  (void)close(metrics_fd);
  metrics_fd = moved_fd;
  cr_assert_eq(unlinkat(project.root_fd, ".kaizen/metrics", AT_REMOVEDIR), 0);
  cr_assert_eq(renameat(project.root_fd, ".kaizen/old", project.root_fd, ".kaizen/metrics"), 0);
}

/* Dead letters. */

static void append_letter(unsigned n, const char *reason) {
  struct buffer lines = {0};
  struct error error = {0};
  unsigned char id[16];

  id_of(n, id);
  dead_letter_write(id, "coach", reason, 0, (struct span){"{}", 2}, &lines);
  cr_assert_eq(dead_letter_append(agent_fd, buffer_span(&lines), false, &error), 0, "%s",
               error.text);
  buffer_fini(&lines);
}

static int collect(void *ctx, const unsigned char id[16], struct span line) {
  struct buffer *out = ctx;

  (void)id;
  buffer_append(out, line.ptr, line.len);
  return 0;
}

Test(dead_letter, reads_as_one_line_of_json) {
  struct buffer out = {0};

  append_letter(1, "too \"large\"\n");
  cr_assert_eq(dead_letter_each(agent_fd, collect, &out, NULL), 0);
  buffer_append_byte(&out, '\0');
  cr_assert_str_eq(out.data,
                   "{\"event_id\":\"00000000-0000-4000-8000-000000000001\",\"agent\":\"coach\","
                   "\"reason\":\"too \\\"large\\\"\\n\",\"time\":\"1970-01-01T00:00:00Z\","
                   "\"event\":{}}\n");
  buffer_fini(&out);
}

Test(dead_letter, an_id_that_stands_twice_counts_once) {
  struct dead_letter_ids ids = {0};
  struct buffer out = {0};

  append_letter(1, "a");
  append_letter(2, "b");
  append_letter(1, "c");
  cr_assert_eq(dead_letter_load_ids(agent_fd, &ids, NULL), 0);
  cr_assert_eq(ids.count, 2);
  cr_assert_eq(dead_letter_each(agent_fd, collect, &out, NULL), 0);
  buffer_append_byte(&out, '\0');
  cr_assert_null(strstr(out.data, "\"c\""));
  dead_letter_ids_fini(&ids);
  buffer_fini(&out);
}

Test(dead_letter, what_is_taken_back_leaves_what_stood_there_before) {
  struct dead_letter_ids ids = {0};
  struct buffer out = {0};

  append_letter(1, "a");
  cr_assert_eq(dead_letter_each(agent_fd, collect, &out, NULL), 0);
  append_letter(2, "b");
  cr_assert_eq(dead_letter_take_back(agent_fd, out.len), 0);
  cr_assert_eq(dead_letter_load_ids(agent_fd, &ids, NULL), 0);
  cr_assert_eq(ids.count, 1);
  cr_assert_eq(dead_letter_take_back(agent_fd, out.len + 1), -1, "more than there is");
  dead_letter_ids_fini(&ids);
  buffer_fini(&out);
}

Test(dead_letter, a_torn_line_costs_no_other) {
  struct dead_letter_ids ids = {0};

  append_letter(1, "a");
  write_file(agent_fd, ".dead-letter.jsonl", O_APPEND, "{\"event_id\":\"0000");
  append_letter(2, "b");
  cr_assert_eq(dead_letter_load_ids(agent_fd, &ids, NULL), 0);
  cr_assert_eq(ids.count, 2);
  dead_letter_ids_fini(&ids);
}

Test(dead_letter, a_line_torn_behind_its_id_is_no_letter) {
  struct dead_letter_ids ids = {0};
  struct buffer out = {0};

  write_file(agent_fd, ".dead-letter.jsonl", O_APPEND,
             "{\"event_id\":\"00000000-0000-4000-8000-000000000009\",\"agent\":\"co\n");
  append_letter(1, "a");
  cr_assert_eq(dead_letter_load_ids(agent_fd, &ids, NULL), 0);
  cr_assert_eq(ids.count, 1);
  cr_assert_eq(dead_letter_each(agent_fd, collect, &out, NULL), 0);
  buffer_append_byte(&out, '\0');
  cr_assert_null(strstr(out.data, "\"co\n"));
  dead_letter_ids_fini(&ids);
  buffer_fini(&out);
}

Test(dead_letter, of_an_event_as_deep_as_a_foreign_line_may_be_is_one) {
  struct dead_letter_ids ids = {0};
  struct buffer line = {0}, event = {0};
  unsigned char id[16];

  for (int i = 0; i < 500; i++)
    buffer_append_text(&event, "{\"a\":");
  buffer_append_text(&event, "1");
  for (int i = 0; i < 500; i++)
    buffer_append_text(&event, "}");
  id_of(1, id);
  dead_letter_write(id, "coach", "no numbers", 0, buffer_span(&event), &line);
  cr_assert_eq(dead_letter_append(agent_fd, buffer_span(&line), false, NULL), 0);
  cr_assert_eq(dead_letter_load_ids(agent_fd, &ids, NULL), 0);
  cr_assert_eq(ids.count, 1);
  dead_letter_ids_fini(&ids);
  buffer_fini(&line);
  buffer_fini(&event);
}

Test(dead_letter, the_file_goes_with_the_last_one_removed) {
  struct dead_letter_ids ids = {0}, left = {0};
  unsigned char id[16];

  append_letter(1, "a");
  append_letter(2, "b");
  id_of(1, id);
  cr_assert_eq(dead_letter_ids_add(&ids, id, NULL), 0);
  cr_assert_eq(dead_letter_remove(agent_fd, &ids, false, NULL), 0);
  cr_assert_eq(dead_letter_load_ids(agent_fd, &left, NULL), 0);
  cr_assert_eq(left.count, 1);
  cr_assert_not(dead_letter_has(&left, id));
  cr_assert_eq(dead_letter_remove(agent_fd, &left, false, NULL), 0);
  cr_assert_eq(faccessat(agent_fd, ".dead-letter.jsonl", F_OK, 0), -1);
  dead_letter_ids_fini(&ids);
  dead_letter_ids_fini(&left);
}
