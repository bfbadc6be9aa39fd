/* test_cursor_repair.c - what verify says of a .state that is whole and contradicts the log, and
 * what a repair makes of it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "project_sandbox.h"

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "store/agent.h"
#include "store/agent_fold.h"
#include "store/agent_state.h"
#include "store/agent_view.h"
#include "store/project_identity.h"
#include "store/salvage.h"
#include "store/verify.h"

#define EVENTS 5
#define MARKED(number)                                                                             \
  "{\"timestamp\":\"2026-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":true,\"event_id\":"     \
  "\"00000000-0000-4000-8000-00000000000" number "\",\"event\":{}}\n"
#define LINE_BYTES (sizeof MARKED("1") - 1)
#define LOG MARKED("1") MARKED("2") MARKED("3") MARKED("4") MARKED("5")

static struct agent_state state;
static struct salvage_result done;
static char report[65536];

static void set_up(void) {
  enter_project();
  make_agent_folder("coach");
}

TestSuite(cursor_repair, .init = set_up, .fini = leave_project);

static void id_of(char number, unsigned char id[16]) {
  char text[UUID_TEXT_SIZE];

  (void)snprintf(text, sizeof text, "00000000-0000-4000-8000-00000000000%c", number);
  uuid_pack(text, id);
}

static void store_state(void) {
  int fd = open(in_sandbox(".kaizen/metrics/coach"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  cr_assert_eq(agent_state_store(fd, &state, false, &error), 0, "%s", error.text);
  (void)close(fd);
}

static void load_state(void) {
  int fd = open(in_sandbox(".kaizen/metrics/coach"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool damaged;

  cr_assert_eq(agent_state_load(fd, &state, &damaged, &error), 0, "%s", error.text);
  (void)close(fd);
}

/* `log`, and in `state` a cursor that has passed its first lines, those with the ids `passed`. */
static void begin(const char *log, const char *passed) {
  struct cursor_progress progress;
  unsigned char id[16];
  struct agent agent;
  bool changed;

  (void)unlink(agent_file("coach", AGENT_STATE_FILE));
  put_file(agent_file("coach", AGENT_LOG_FILE), log);
  agent_init(&agent, &project, "coach");
  cr_assert_eq(agent_fold_acquire(&agent, INT64_MAX, &error), 0, "%s", error.text);
  cr_assert_eq(project_identity(&project, id, &error), 0, "%s", error.text);
  cr_assert_eq(agent_state_claim(agent.fd, id, &agent.fold, false, &state, &changed, &error), 0);
  agent_release(&agent);
  agent_close(&agent);
  cursor_begin(&state.cursor, clock_wall_ns());
  cursor_progress_begin(&progress, state.cursor.epoch, cursor_line_id(&state.cursor), 0);
  for (size_t i = 0; passed[i]; i++) {
    id_of(passed[i], id);
    cursor_progress_pass(&progress, id, (i + 1) * LINE_BYTES, false);
  }
  cr_assert_eq(cursor_advance(&state.cursor, &progress, true), 0);
  state.last_acknowledged_unix_ns = clock_wall_ns();
}

static void must_verify(const char *name, const char *verdict) {
  struct buffer out = {0};

  cr_assert_eq(verify_agent(&project, "coach", 10, INT64_MAX, &out, &error), 0, "%s: %s", name,
               error.text);
  (void)snprintf(report, sizeof report, "%.*s", (int)out.len, out.data);
  buffer_fini(&out);
  cr_expect(strstr(report, verdict), "%s: %s is not in %s", name, verdict, report);
}

static void repair(const char *name) {
  error = (struct error){0};
  cr_assert_eq(salvage_agent(&project, "coach", 10, 2000, false, &done, &error), 0, "%s: %s", name,
               error.text);
  cr_expect_str_eq(done.saved_to, "", "%s", name);
}

/* Every event is counted, and none that may have been sent is pending to be sent. */
static void must_count(const char *name, uint64_t acknowledged, uint64_t held) {
  const struct agent_view_limits limits = agent_view_patience(2000);
  struct agent_view view;

  cr_assert_eq(agent_view_read(&project, "coach", &limits, &view, &error), 0, "%s", error.text);
  cr_expect_not(view.impossible, "%s", name);
  cr_expect_eq(view.acknowledged, acknowledged, "%s: %lu acknowledged", name,
               (unsigned long)view.acknowledged);
  cr_expect_eq(view.held, held, "%s: %lu held", name, (unsigned long)view.held);
  cr_expect_eq(view.acknowledged + view.pending + view.dead_lettered, view.fold.marked, "%s", name);
}

/* ---- each number, and what becomes of it ---- */

static void count_too_many(void) {
  state.cursor.marked += 2;
}
static void count_too_few(void) {
  state.cursor.marked--;
}
static void count_what_never_was(void) {
  state.cursor = (struct cursor){.epoch = state.cursor.epoch, .marked = UINT64_MAX - 7};
}
static void forget_when(void) {
  count_what_never_was();
  state.last_acknowledged_unix_ns = 0;
}
static void hold_more_than_there_are(void) {
  state.cursor.held_count = 3;
}
static void hold_where_nothing_ends(void) {
  state.cursor.held_count = 1;
  state.cursor.held_from_end = 7;
}
static void hold_after_another(void) {
  state.cursor.held_count = state.cursor.held_from_marked = 1;
  state.cursor.held_from_end = LINE_BYTES;
  id_of('5', state.cursor.held_from_id);
}
static void hold_after_the_first(void) {
  hold_after_another();
  id_of('1', state.cursor.held_from_id);
}
static void hold_of_too_many(void) {
  count_too_many();
  state.cursor.held_count = 1;
}
static void more_dead_than_sent(void) {
  state.cursor.dead_lettered = 3;
}
static void another_line(void) {
  id_of('9', state.cursor.recent[0]);
  state.cursor.recent_count = 1;
}
static void end_after_the_log(void) {
  state.cursor.end = UINT64_MAX;
}
static void greatest_epoch(void) {
  state.cursor.epoch = UINT64_MAX;
}
static void greatest_sequence(void) {
  state.sequence = UINT64_MAX - 1;
  count_too_many();
}

static const struct {
  const char *name;
  void (*change)(void);
  const char *verdict;
  uint64_t acknowledged, held; /* after the repair */
} cases[] = {
    {"more events than there are", count_too_many, "counts different events", 2, 0},
    {"fewer events than there are", count_too_few, "is of another log", 0, 5},
    {"events and no line", count_what_never_was, "is of another log", 0, 5},
    {"events that nobody acknowledged", forget_when, "is of another log", 0, 5},
    {"more held than there are", hold_more_than_there_are, "contradicts itself", 0, 5},
    {"held after no line", hold_where_nothing_ends, "holds back other events", 0, 2},
    {"held after another line", hold_after_another, "holds back other events", 0, 2},
    {"held after the first line", hold_after_the_first, "ok", 1, 1},
    {"held of more events than there are", hold_of_too_many, "counts different events", 0, 2},
    {"more dead letters than events", more_dead_than_sent, "contradicts itself", 0, 5},
    {"a line that is not there", another_line, "is of another log", 0, 5},
    {"an offset after the log", end_after_the_log, "ok", 2, 0},
    {"the greatest epoch", greatest_epoch, "ok", 2, 0},
    {"the greatest sequence", greatest_sequence, "counts different events", 2, 0},
};

Test(cursor_repair, what_verify_says_of_a_state_a_repair_sets_right) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool wrong = strcmp(cases[i].verdict, "ok") != 0;
    const char *name = cases[i].name;
    struct agent_state before;
    char verdict[64];

    begin(LOG, "12");
    cases[i].change();
    store_state();
    before = state;
    (void)snprintf(verdict, sizeof verdict, "\"state\":\"%s", cases[i].verdict);
    must_verify(name, verdict);
    repair(name);
    cr_expect_eq(done.held_back, wrong ? cases[i].held : 0, "%s: %lu held back", name,
                 (unsigned long)done.held_back);
    must_verify(name, "\"consistent\":true");
    must_count(name, cases[i].acknowledged, cases[i].held);
    load_state();
    cr_expect_eq(state.sequence, before.sequence + wrong, "%s: stored when it was wrong", name);
    cr_expect_eq(state.cursor.epoch != before.cursor.epoch, wrong, "%s: a publisher sees it", name);
    repair(name);
    cr_expect_eq(done.held_back, 0, "%s: twice", name);
    load_state();
    cr_expect_eq(state.sequence, before.sequence + wrong, "%s: a second repair", name);
  }
}

Test(cursor_repair, what_contradicts_the_log_is_judged_before_bad_lines_leave_it) {
  begin("garbage\n" MARKED("1") MARKED("2") MARKED("3"), "12");
  state.cursor.end += strlen("garbage\n");
  hold_of_too_many();
  state.cursor.held_count = 3;
  store_state();
  error = (struct error){0};
  cr_assert_eq(salvage_agent(&project, "coach", 10, 2000, false, &done, &error), 0, "%s",
               error.text);
  cr_expect_str_neq(done.saved_to, "");
  cr_expect_eq(done.held_back, 2);
  must_verify("garbage", "\"consistent\":true");
  must_count("garbage", 0, 2);
}

Test(cursor_repair, an_event_that_was_recorded_since_is_pending_and_not_held) {
  begin(LOG, "12");
  more_dead_than_sent();
  store_state();
  repair("before");
  append_to_file(agent_file("coach", AGENT_LOG_FILE), MARKED("6"));
  must_count("one more", 0, 5);
  repair("one more");
  must_verify("one more", "\"state\":\"ok\"");
  must_count("one more", 0, 5);
}

Test(cursor_repair, a_state_that_contradicts_itself_says_nothing_of_when) {
  begin(LOG, "12");
  more_dead_than_sent();
  state.last_acknowledged_unix_ns = 1;
  store_state();
  repair("acknowledged in 1970");
  must_count("acknowledged in 1970", 0, 5);
}

Test(cursor_repair, other_lines_before_the_cursors_line_are_a_finding) {
  begin(MARKED("3") MARKED("2") MARKED("1") MARKED("4") MARKED("5"), "12");
  store_state();
  must_verify("another order", "\"state\":\"is of another log");
  repair("another order");
  cr_expect_eq(done.held_back, EVENTS);
  must_verify("another order", "\"consistent\":true");
}

Test(cursor_repair, a_loss_that_was_counted_stays_told) {
  begin(LOG, "12");
  state.lost_by_rewrite = 3;
  count_too_many();
  store_state();
  repair("a loss");
  must_verify("a loss", "\"state\":\"marked lines were removed from the log before");
  load_state();
  cr_expect_eq(state.lost_by_rewrite, 3);
  cr_expect_eq(state.cursor.marked, 2);
}

Test(cursor_repair, a_state_of_another_tree_is_left_to_who_writes_next) {
  begin(LOG, "12");
  state.project_id[0] ^= 1;
  count_too_many();
  store_state();
  repair("another tree");
  load_state();
  cr_expect_eq(state.cursor.marked, 4);
  must_verify("another tree", "\"state\":\"of another tree");
}

Test(cursor_repair, lines_that_the_log_has_twice_are_no_finding) {
  begin(MARKED("1") MARKED("2") MARKED("1") MARKED("2") MARKED("3"), "1212");
  store_state();
  must_verify("passed twice", "\"state\":\"ok\"");
  begin(MARKED("1") MARKED("2") MARKED("1") MARKED("2") MARKED("3"), "12");
  store_state();
  must_verify("passed once", "\"state\":\"ok\"");
  more_dead_than_sent();
  store_state();
  repair("held");
  cr_expect_eq(done.held_back, EVENTS);
  must_verify("held", "\"consistent\":true");
}
