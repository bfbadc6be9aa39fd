/* test_recorder_retention.c - what a recorder prunes with the records of later days.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder_scene.h"

TestSuite(recorder_retention, .init = set_up, .fini = tear_down);

static void put_old_lines(unsigned count) {
  FILE *out;

  make_agent_folder("coach");
  out = fopen(log_of("coach"), "we");
  cr_assert(out);
  for (unsigned i = 0; i < count; i++)
    (void)fprintf(out, "{\"timestamp\":\"2025-01-01T00:00:00Z\",\"agent\":\"coach\","
                       "\"success\":false,\"quality_score\":0.25}\n");
  cr_assert_eq(fclose(out), 0);
}

static struct recorder_request record_on_day(int64_t day) {
  return record_at(&(struct given){.agent = "coach",
                                   .key = "",
                                   .success = true,
                                   .quality = -1,
                                   .timestamp_s = NOW_S + day * DAY_S},
                   NOW_S + day * DAY_S);
}

Test(recorder_retention, expired_lines_leave_on_the_second_day_and_the_summary_follows) {
  put_old_lines(3);
  for (int i = 0; i < 4; i++)
    cr_assert_eq(record_on_day(0).code, KAIZEN_RECORDED);
  expect_summary_counts("first day", "coach", 7);
  if (!tells_birth(log_of("coach")))
    cr_skip_test("when the log was made is not known: they stay longer");
  cr_assert_eq(record_on_day(1).code, KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(log_of("coach")), 5);
  expect_summary_counts("second day", "coach", 5);
  cr_assert(strstr(text_of_file(agent_file("coach", "summary.json")), "\"success_rate\": 1.0,"));
  cr_assert(
      strstr(text_of_file(agent_file("coach", "summary.json")), "\"avg_quality_score\": 0.0,"));
  cr_assert(message_with(HOST_MESSAGE_PRUNED));
  cr_assert_eq(record_on_day(1).code, KAIZEN_RECORDED);
  expect_summary_counts("afterwards", "coach", 6);
}

/* Too long for one call: it is pruned beside those who record, and its index is made there, too. */
Test(recorder_retention, a_long_log_is_pruned_aside_and_its_keys_stay_known) {
  enum { LINES = 12000, OLD_LINES = LINES / 4 };
  FILE *log;

  make_agent_folder("coach");
  log = fopen(log_of("coach"), "w");
  cr_assert(log);
  for (int i = 0; i < LINES; i++)
    cr_assert_gt(fprintf(log,
                         "{\"timestamp\":\"%s\",\"agent\":\"coach\",\"success\":true,"
                         "\"idempotency_key\":\"key-%d\",\"metadata\":{\"model\":\"m\"}}\n",
                         i < OLD_LINES ? "2025-01-01T00:00:00Z" : "2025-12-30T00:00:00Z", i),
                 0);
  cr_assert_eq(fclose(log), 0);
  cr_assert_gt(size_of_file(log_of("coach")), 1 << 20);
  if (!tells_birth(log_of("coach")))
    cr_skip_test("when the log was made is not known: they stay longer");
  cr_assert_eq(record_on_day(0).code, KAIZEN_RECORDED);
  use_recorder(false, 2000); /* waits for the thread of the first */
  cr_assert_eq(record_on_day(1).code, KAIZEN_RECORDED);
  recorder_free(recorder);
  recorder = NULL;
  cr_assert(message_with(HOST_MESSAGE_PRUNED));
  cr_assert_eq(lines_of_file(log_of("coach")), LINES - OLD_LINES + 2);
  expect_summary_counts("pruned", "coach", LINES - OLD_LINES + 2);
  cr_assert_not(is_there(agent_file("coach", ".index.new")));
  cr_assert_not(is_there(agent_file("coach", ".executions.new")));
  memset(told, 0, sizeof told);
  use_recorder(false, 2000);
  cr_assert_eq(record("coach", "key-11999", true).code, KAIZEN_DUPLICATE);
  cr_assert_eq(record("coach", "key-0", true).code, KAIZEN_RECORDED);
  cr_assert_null(message_with(HOST_MESSAGE_CHECKPOINT_REBUILT), "the index came with the log");
}

Test(recorder_retention, a_clock_at_2099_for_a_minute_costs_nothing) {
  int64_t days_to_2099 = 73 * 365;

  for (int64_t i = 0; i < 30; i++)
    cr_assert_eq(record_on_day(i - 40).code, KAIZEN_RECORDED);
  for (int i = 0; i < 100; i++) {
    use_recorder(false, 2000); /* as many short-lived hosts */
    cr_assert_eq(record_on_day(days_to_2099).code, KAIZEN_RECORDED);
  }
  use_recorder(false, 2000);
  cr_assert_eq(record_on_day(0).code, KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(log_of("coach")), 131);
  cr_assert_eq(record_on_day(1).code, KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(log_of("coach")), 132);
}
