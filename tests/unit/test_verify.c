/* test_verify.c - what is reported about an agent's files, and what a repair makes of them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "failing_fsync.h"
#include "project_sandbox.h"

#include <kaizen/plugin.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "record/execution_from_json.h"
#include "recorder/recorder.h"
#include "store/agent.h"
#include "store/agent_fold.h"
#include "store/agent_state.h"
#include "store/project_identity.h"
#include "store/salvage.h"
#include "store/verify.h"

#define GOOD "{\"timestamp\":\"2026-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":true}\n"

static struct recorder *recorder;
static char report[65536];
static struct salvage_result done;

static void ignore_message(void *ctx, int32_t level, int32_t id, const char *text) {
  (void)ctx;
  (void)level;
  (void)id;
  (void)text;
}

static void set_up(void) {
  static struct recorder_options options = {.project = &project,
                                            .slug = "shop",
                                            .trend_window = 10,
                                            .lock_timeout_ms = 5000,
                                            .messages = {ignore_message, NULL}};

  enter_project();
  recorder = recorder_new(&options);
}

static void tear_down(void) {
  recorder_free(recorder);
  leave_project();
}

TestSuite(verify, .init = set_up, .fini = tear_down);

static const char *file(void) {
  return agent_file("coach", AGENT_LOG_FILE);
}

static void record(unsigned count) {
  const struct execution_limits limits = {
      .now_s = 1767225600, .oldest_s = INT64_MIN, .max_record_bytes = 65536};
  static const char text[] = "{\"agent\":\"coach\",\"success\":true,\"quality_score\":0.7}";

  while (count-- > 0) {
    struct execution execution = {0};
    struct recorder_request request = {.execution = &execution};
    struct summary summary;
    struct error why = {0};

    cr_assert_eq(
        execution_from_json(&execution, (struct span){text, sizeof text - 1}, 0, &limits, &why), 0,
        "%s", why.text);
    recorder_record(recorder, &request, 1, limits.now_s, &summary, &why);
    cr_assert_eq(request.code, KAIZEN_RECORDED, "%s", why.text);
    execution_fini(&execution);
  }
}

static int verify(void) {
  struct buffer out = {0};
  int result = verify_agent(&project, "coach", 10, INT64_MAX, &out, &error);

  (void)snprintf(report, sizeof report, "%.*s", (int)out.len, out.data ? out.data : "");
  buffer_fini(&out);
  return result;
}

static int repair(void) {
  return salvage_agent(&project, "coach", 10, 2000, false, &done, &error);
}

static void must_report(const char *name, const char *part) {
  cr_assert_eq(verify(), 0, "%s: %s", name, error.text);
  cr_expect(strstr(report, part), "%s: %s is not in %s", name, part, report);
}

Test(verify, an_agent_that_never_recorded_has_nothing_to_verify) {
  cr_assert_eq(verify(), 1);
  cr_assert_not(is_there(in_sandbox(".kaizen")));
}

Test(verify, a_sound_agent_is_consistent_in_every_part) {
  record(3);
  cr_assert_eq(verify(), 0, "%s", error.text);
  cr_assert_str_eq(report,
                   "{\"agent\":\"coach\",\"consistent\":true,\"records\":3,\"bad_lines\":[],"
                   "\"bad_line_count\":0,\"torn_tail\":false,\"summary\":\"ok\","
                   "\"checkpoint\":\"ok\",\"state\":\"missing\"}");
}

Test(verify, a_log_without_records_needs_no_summary) {
  record(1);
  put_file(file(), "");
  must_report("a summary of what is gone", "\"consistent\":false");
  cr_assert_eq(unlink(agent_file("coach", "summary.json")), 0);
  must_report("no summary", "\"summary\":\"missing\"");
  must_report("no summary", "\"consistent\":true");
}

Test(verify, each_bad_line_is_told_with_its_place_and_reason) {
  record(1);
  append_to_file(file(), "garbage\n" GOOD "{\"agent\":\"coach\"}\n");
  must_report("bad lines",
              "\"consistent\":false,\"records\":2,\"bad_lines\":[{\"line\":2,\"offset\":");
  cr_assert(strstr(report, "\"reason\":\"a value is expected here\"}"), "%s", report);
  cr_assert(strstr(report, "{\"line\":4,"), "%s", report);
  cr_assert(strstr(report, "success is not true or false"), "%s", report);
  cr_assert(strstr(report, "\"bad_line_count\":2,\"torn_tail\":false"), "%s", report);
}

Test(verify, bad_lines_beyond_a_hundred_are_counted) {
  record(1);
  for (int i = 0; i < 150; i++)
    append_to_file(file(), "bad\n");
  must_report("many", "\"bad_line_count\":150");
  cr_assert_eq(count_in(report, "\"offset\""), 100);
}

Test(verify, what_is_wrong_is_named) {
  static const struct {
    const char *name, *file, *content, *verdict;
  } cases[] = {
      {"torn tail", AGENT_LOG_FILE, NULL, "\"torn_tail\":true"},
      {"summary removed", "summary.json", "", "\"summary\":\"missing\""},
      {"summary of another program's layout", "summary.json",
       "{\"last_execution\":\"2026-01-01T00:00:00Z\",\"trend\":{\"quality_score\":\"stable\","
       "\"success_rate\":\"stable\"},\"avg_execution_time_s\":0,\"avg_quality_score\":0.7,"
       "\"success_rate\":1,\"execution_count\":2,\"extra\":1}",
       "\"summary\":\"ok\""},
      {"a wrong count", "summary.json", "{\"execution_count\": 3}",
       "\"summary\":\"execution_count differs\""},
      {"a wrong rate", "summary.json", "{\"execution_count\": 2, \"success_rate\": 0.5}",
       "\"summary\":\"success_rate differs\""},
      {"text for a number", "summary.json", "{\"execution_count\": \"2\"}",
       "\"summary\":\"execution_count differs\""},
      {"no object", "summary.json", "[]", "\"summary\":\"is not a JSON object\""},
      {"six members of other names", "summary.json",
       "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1}", "\"summary\":\"lacks members\""},
      {"cut short", "summary.json", "{\"execution_count\": 2,",
       "\"summary\":\"is not a JSON object\""},
      {"checkpoint removed", CHECKPOINT_FILE, "", "\"checkpoint\":\"missing\""},
      {"checkpoint damaged", CHECKPOINT_FILE, "damage", "\"checkpoint\":\"missing\""},
      {"state damaged", ".state", "damage", "\"state\":\"missing\""},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    record(1);
    put_file(file(), "");
    record(2);
    if (!cases[i].content)
      append_to_file(agent_file("coach", cases[i].file), "torn");
    else if (cases[i].content[0])
      put_file(agent_file("coach", cases[i].file), cases[i].content);
    else
      cr_assert_eq(unlink(agent_file("coach", cases[i].file)), 0);
    must_report(cases[i].name, cases[i].verdict);
  }
}

Test(verify, a_checkpoint_that_adds_up_to_something_else_is_told) {
  struct agent agent;

  record(2);
  recorder_free(recorder); /* which stores it */
  recorder = NULL;
  agent_init(&agent, &project, "coach");
  cr_assert_eq(agent_fold_acquire(&agent, clock_monotonic_ns() + INT64_C(1000000000), &error), 0);
  agent.fold.execution_count = 7;
  agent.unstored = 1;
  agent_store_checkpoint(&agent, true);
  agent_release(&agent);
  agent_close(&agent);
  must_report("wrong", "\"checkpoint\":\"disagrees with the log\"");
  cr_assert_eq(repair(), 0, "%s", error.text);
  must_report("repaired", "\"consistent\":true");
}

Test(verify, verifying_writes_nothing) {
  struct stat before, after;

  record(1);
  append_to_file(file(), "torn");
  cr_assert_eq(unlink(agent_file("coach", "summary.json")), 0);
  cr_assert_eq(unlink(agent_file("coach", CHECKPOINT_FILE)), 0);
  cr_assert_eq(stat(in_sandbox(".kaizen/metrics/coach"), &before), 0);
  cr_assert_eq(verify(), 0);
  cr_assert_eq(stat(in_sandbox(".kaizen/metrics/coach"), &after), 0);
  cr_assert_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
  cr_assert_eq(count_in(text_of_file(file()), "torn\n"), 0);
}

static atomic_bool enough;

static void *record_on(void *ctx) {
  (void)ctx;
  while (!atomic_load(&enough))
    record(1);
  return NULL;
}

static atomic_uint counted_records;

static void *count_on(void *ctx) {
  (void)ctx;
  while (!atomic_load(&enough)) {
    record(1);
    (void)atomic_fetch_add(&counted_records, 1);
  }
  return NULL;
}

Test(verify, an_agent_that_is_recording_is_consistent_at_any_moment) {
  pthread_t thread;

  record(1);
  cr_assert_eq(pthread_create(&thread, NULL, record_on, NULL), 0);
  for (int i = 0; i < 200; i++)
    must_report("while recording", "\"consistent\":true");
  atomic_store(&enough, true);
  cr_assert_eq(pthread_join(thread, NULL), 0);
}

/* Repair. */

Test(verify, a_repair_takes_bad_lines_out_and_keeps_their_bytes) {
  record(1);
  append_to_file(file(), "garbage one\n\n" GOOD "{\"torn\":");
  cr_assert_eq(repair(), 0, "%s", error.text);
  cr_assert_eq(lines_of_file(file()), 3);
  cr_assert(strncmp(done.saved_to, ".salvage-", 9) == 0, "%s", done.saved_to);
  cr_assert_str_eq(text_of_file(agent_file("coach", done.saved_to)), "garbage one\n{\"torn\":\n");
  must_report("repaired", "\"consistent\":true,\"records\":2");
  cr_assert(strstr(text_of_file(agent_file("coach", "summary.json")), "\"execution_count\": 2,"));
}

Test(verify, an_amendment_is_neither_a_record_nor_a_bad_line) {
  record(1);
  append_to_file(file(), "{\"agent\":\"coach\",\"amends\":\"run-17\",\"quality_score\":0.4}\n");
  record(1);
  cr_assert_eq(verify(), 0);
  must_report("an amendment", "\"records\":2");
  must_report("an amendment", "\"bad_line_count\":0");
  append_to_file(file(), "garbage\n");
  cr_assert_eq(repair(), 0);
  cr_expect(strstr(text_of_file(file()), "run-17"), "a repair keeps it");
  cr_expect_not(strstr(text_of_file(file()), "garbage"));
}

Test(verify, a_repair_of_a_sound_agent_changes_no_line_and_saves_nothing) {
  char *before;

  record(3);
  before = text_of_file(file());
  cr_assert_eq(repair(), 0, "%s", error.text);
  cr_assert_str_eq(done.saved_to, "");
  cr_assert_str_eq(text_of_file(file()), before);
  must_report("sound", "\"consistent\":true");
}

Test(verify, two_repairs_of_one_second_save_to_two_files) {
  char first[64];

  record(1);
  append_to_file(file(), "first\n");
  cr_assert_eq(repair(), 0, "%s", error.text);
  (void)snprintf(first, sizeof first, "%s", done.saved_to);
  append_to_file(file(), "second\n");
  cr_assert_eq(repair(), 0, "%s", error.text);
  cr_assert_str_neq(first, done.saved_to);
  cr_assert_str_eq(text_of_file(agent_file("coach", first)), "first\n");
  cr_assert_str_eq(text_of_file(agent_file("coach", done.saved_to)), "second\n");
}

Test(verify, a_line_of_three_megabytes_is_saved_byte_for_byte) {
  size_t len = 3 << 20, size;
  const char *text = line_of_length(len), *saved;

  record(1);
  append_to_file(file(), text);
  append_to_file(file(), GOOD);
  cr_assert_eq(repair(), 0, "%s", error.text);
  saved = bytes_of_file(agent_file("coach", done.saved_to), &size);
  cr_assert_eq(size, len);
  cr_assert_eq(memcmp(saved, text, len), 0);
  cr_assert_eq(lines_of_file(file()), 2);
}

Test(verify, a_checkpoint_that_hides_bad_lines_does_not_hide_them_from_a_repair) {
  struct agent agent;

  record(1);
  append_to_file(file(), "garbage\n" GOOD);
  agent_init(&agent, &project, "coach");
  cr_assert_eq(agent_fold_acquire(&agent, clock_monotonic_ns() + INT64_C(1000000000), &error), 0);
  agent.fold.skipped_lines = 0;
  agent_store_checkpoint(&agent, true);
  agent_release(&agent);
  agent_close(&agent);
  cr_assert_eq(repair(), 0, "%s", error.text);
  cr_assert_str_neq(done.saved_to, "");
  cr_assert_eq(lines_of_file(file()), 2);
}

Test(verify, a_live_recorder_goes_on_after_a_repair) {
  record(2);
  append_to_file(file(), "garbage\n");
  cr_assert_eq(repair(), 0, "%s", error.text);
  record(1);
  must_report("went on", "\"consistent\":true,\"records\":3");
}

Test(verify, what_is_recorded_during_a_repair_is_kept) {
  enum { REPAIRS = 40 };
  pthread_t thread;
  char counted[64];

  record(1);
  cr_assert_eq(pthread_create(&thread, NULL, count_on, NULL), 0);
  for (unsigned i = 0; i < REPAIRS; i++) {
    unsigned before = atomic_load(&counted_records);

    append_to_file(file(), "garbage\n");
    cr_assert_eq(repair(), 0, "%s", error.text);
    while (atomic_load(&counted_records) == before) /* the other thread has its turn */
      sched_yield();
  }
  atomic_store(&enough, true);
  cr_assert_eq(pthread_join(thread, NULL), 0);
  (void)snprintf(counted, sizeof counted, "\"consistent\":true,\"records\":%u,",
                 1 + atomic_load(&counted_records));
  must_report("with every record", counted);
}

Test(verify, a_repair_without_the_lock_changes_nothing) {
  int fd;

  record(1);
  append_to_file(file(), "garbage\n");
  fd = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(fd, LOCK_EX), 0);
  cr_assert_eq(salvage_agent(&project, "coach", 10, 20, false, &done, &error), -1);
  cr_assert_eq(error.code, KAIZEN_E_BUSY);
  cr_assert_eq(lines_of_file(file()), 2);
  (void)close(fd);
}

/* ---- the cursor against the log -------------------------------------------------------------- */

#define MARKED(number)                                                                             \
  "{\"timestamp\":\"2026-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":true,\"event_id\":"     \
  "\"00000000-0000-4000-8000-00000000000" number "\",\"event\":{}}\n"

/* The log of five events, and a state whose cursor passed those of `numbers`, the last of them the
 * second line. */
static void put_cursor(const char *numbers) {
  unsigned char id[PROJECT_ID_SIZE], line_id[16];
  struct cursor_progress progress;
  struct agent_state state;
  struct agent agent;
  bool changed;

  make_agent_folder("coach");
  put_file(file(), MARKED("1") MARKED("2") MARKED("3") MARKED("4") MARKED("5"));
  agent_init(&agent, &project, "coach");
  cr_assert_eq(agent_fold_acquire(&agent, clock_monotonic_ns() + INT64_C(2000000000), &error), 0);
  cr_assert_eq(project_identity(&project, id, &error), 0, "%s", error.text);
  cr_assert_eq(agent_state_claim(agent.fd, id, &agent.fold, false, &state, &changed, &error), 0);
  cursor_begin(&state.cursor, clock_wall_ns());
  cursor_progress_begin(&progress, state.cursor.epoch, cursor_line_id(&state.cursor), 0);
  for (const char *at = numbers; *at; at++) {
    char text[UUID_TEXT_SIZE];

    (void)snprintf(text, sizeof text, "00000000-0000-4000-8000-00000000000%c", *at);
    uuid_pack(text, line_id);
    cursor_progress_pass(&progress, line_id, 2 * strlen(MARKED("1")), false);
  }
  cr_assert_eq(cursor_advance(&state.cursor, &progress, true), 0);
  state.last_acknowledged_unix_ns = clock_wall_ns();
  cr_assert_eq(agent_state_store(agent.fd, &state, false, &error), 0);
  agent_release(&agent);
  agent_close(&agent);
}

static const char *report_of_cursor(void) {
  struct buffer out = {0};

  cr_assert_eq(verify_agent(&project, "coach", 10, INT64_MAX, &out, &error), 0, "%s", error.text);
  (void)snprintf(report, sizeof report, "%.*s", (int)out.len, out.data);
  buffer_fini(&out);
  return report;
}

Test(verify, a_cursor_that_counts_what_the_log_has_is_right) {
  put_cursor("12");
  cr_assert(strstr(report_of_cursor(), "\"state\":\"ok\""), "%s", report);
}

Test(verify, a_cursor_that_counts_events_the_log_never_had_is_told) {
  put_cursor("8912");
  cr_assert(strstr(report_of_cursor(), "\"state\":\"counts different events up to its cursor"),
            "%s", report);
}

Test(verify, a_state_that_is_gone_or_damaged_is_told_where_events_depend_on_it) {
  put_cursor("12");
  put_file(agent_file("coach", ".state"), "damage");
  cr_assert(strstr(report_of_cursor(), "\"state\":\"damaged: it is unknown what was sent"), "%s",
            report);
  cr_assert_eq(unlink(agent_file("coach", ".state")), 0);
  cr_assert(strstr(report_of_cursor(), "\"state\":\"missing: it is unknown what was sent"), "%s",
            report);
}

Test(verify, why_a_part_cannot_be_read_is_said) {
  static const char *const parts[][2] = {{"summary.json", "\"summary\":\"cannot be read: "},
                                         {CHECKPOINT_FILE, "\"checkpoint\":\"cannot be read: "},
                                         {".state", "\"state\":\"cannot be read: "}};

  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    const char *path = agent_file("coach", parts[i][0]), *said;

    put_cursor("12");
    (void)unlink(path);
    cr_assert_eq(mkfifo(path, 0600), 0);
    said = strstr(report_of_cursor(), parts[i][1]);
    cr_expect(said && strstr(said, "not a regular file; remove it"), "%s: %s", parts[i][0], report);
    cr_expect(strstr(report, "\"consistent\":false"), "%s: %s", parts[i][0], report);
    cr_assert_eq(unlink(path), 0);
  }
}

Test(verify, a_log_from_which_acknowledged_events_were_taken_is_no_finding) {
  put_cursor("12");
  put_file(file(), MARKED("2") MARKED("3") MARKED("4") MARKED("5"));
  cr_assert(strstr(report_of_cursor(), "\"state\":\"ok\""), "%s", report);
}

Test(verify, a_log_in_another_order_does_not_tell_what_was_sent) {
  put_cursor("12");
  put_file(file(), MARKED("5") MARKED("4") MARKED("3") MARKED("2") MARKED("1"));
  cr_assert(strstr(report_of_cursor(), "\"state\":\"is of another log"), "%s", report);
}

/* ---- an index whose removal cannot be made durable ------------------------------------------- */

Test(verify, a_repair_that_cannot_make_the_indexs_removal_durable_says_so) {
  record(1);
  next_fsync_fails = true;
  cr_assert_eq(repair(), -1);
  cr_assert_eq(error.code, KAIZEN_E_IO);
  cr_assert(strstr(error.text, CHECKPOINT_FILE ": cannot sync its removal"), "%s", error.text);
  cr_assert_eq(repair(), 0, "%s", error.text);
  must_report("the next one", "\"consistent\":true");
}
