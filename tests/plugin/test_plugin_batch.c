/* test_plugin_batch.c - batches through the real file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_extensions_scene.h"

#include <sys/file.h>

TestSuite(plugin_batch, .init = set_up, .fini = leave_plugin);

static struct {
  unsigned count;
  uint64_t line;
  int32_t code;
  char reason[256];
} refused;

static void note_refusal(void *ctx, uint64_t line, int32_t code, const char *reason) {
  cr_assert_eq(ctx, &refused);
  refused.count++;
  refused.line = line;
  refused.code = code;
  (void)snprintf(refused.reason, sizeof refused.reason, "%s", reason);
}

static int32_t record_lines(const char *lines, uint32_t batch_flags,
                            struct kaizen_batch_result *result) {
  memset(&refused, 0, sizeof refused);
  return batch->record(instance, lines, KAIZEN_NTS, 0, batch_flags, note_refusal, &refused, result);
}

Test(plugin_batch, a_batch_records_lines_of_several_agents) {
  struct kaizen_batch_result result = {.struct_size = sizeof result};
  const char *lines = COACH OTHER COACH "\n \t\r\n" KEYED("coach", "k") KEYED("other", "k");

  use_instance("");
  cr_assert_eq(record_lines(lines, 0, &result), KAIZEN_OK);
  cr_assert_eq(result.lines, 5);
  cr_assert_eq(result.recorded, 5);
  cr_assert_eq(result.consumed, strlen(lines));
  cr_assert_eq(refused.count, 0);
  cr_assert_eq(lines_of_file(agent_file("coach", "executions.jsonl")), 3);
  cr_assert_eq(lines_of_file(agent_file("other", "executions.jsonl")), 2);
  cr_assert_eq(stats_of(instance).recorded, 5);
}

Test(plugin_batch, a_last_line_without_its_newline_is_taken_too) {
  struct kaizen_batch_result result = {.struct_size = sizeof result};

  use_instance("");
  cr_assert_eq(record_lines(COACH "{\"agent\":\"coach\",\"success\":true}", 0, &result), KAIZEN_OK);
  cr_assert_eq(result.recorded, 2);
  cr_assert_eq(result.consumed, 2 * strlen(COACH) - 1);
  cr_assert_eq(record_lines("", 0, &result), KAIZEN_OK);
  cr_assert_eq(result.lines, 0);
}

Test(plugin_batch, what_is_not_recorded_is_told_with_its_line) {
  struct kaizen_batch_result result = {.struct_size = sizeof result};

  use_instance("");
  cr_assert_eq(record_lines(KEYED("coach", "k") "\n" KEYED("coach", "k"), 0, &result), KAIZEN_OK);
  cr_assert_eq(result.duplicates, 1);
  cr_assert_eq(refused.line, 3);
  cr_assert_eq(refused.code, KAIZEN_DUPLICATE);
  cr_assert_eq(record_lines(COACH "not JSON\n" COACH, 0, &result), KAIZEN_OK);
  cr_assert_eq(result.recorded, 2);
  cr_assert_eq(result.rejected, 1);
  cr_assert_eq(result.older_than_retention, 0);
  cr_assert_eq(refused.line, 2);
  cr_assert_eq(refused.code, KAIZEN_E_REJECTED);
  cr_assert(refused.reason[0]);
}

Test(plugin_batch, lines_older_than_the_retention_are_counted_and_no_others) {
  struct kaizen_batch_result result = {.struct_size = sizeof result};

  use_instance("");
  cr_assert_eq(
      record_lines("{\"timestamp\":\"2001-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":true}\n"
                   "not JSON\n"
                   "{\"agent\":\"coach\"}\n",
                   0, &result),
      KAIZEN_OK);
  cr_assert_eq(result.rejected, 3);
  cr_assert_eq(result.older_than_retention, 1);
}

static int64_t given_now_ns;

static int64_t given_clock(void *ctx) {
  (void)ctx;
  return given_now_ns;
}

/* Lines of the archive leave the log between two replays of it: they must not come in again. */
Test(plugin_batch, a_replay_goes_on_after_a_prune_without_bringing_anything_back) {
  static const int64_t day_ns = INT64_C(86400000000000);
  static const char archive[] = "{\"agent\":\"coach\",\"success\":true,\"timestamp\":\"2025-01-"
                                "01T00:00:00Z\",\"idempotency_key\":"
                                "\"too old\"}\n"
                                "{\"agent\":\"coach\",\"success\":true,\"timestamp\":\"2025-07-"
                                "10T00:00:00Z\",\"idempotency_key\":"
                                "\"soon too old\"}\n"
                                "{\"agent\":\"coach\",\"success\":true,\"timestamp\":\"2025-12-"
                                "31T00:00:00Z\",\"idempotency_key\":"
                                "\"recent\"}\n";
  struct kaizen_host_v1 host = plain_host();
  struct kaizen_batch_result result = {.struct_size = sizeof result};

  host.now_unix_ns = given_clock;
  given_now_ns = INT64_C(1767225600) * 1000000000; /* 2026-01-01, 175 days after the second line */
  instance = start_instance(&host, sandbox.root, ",\"delivery\":\"relay\"");
  cr_assert_eq(record_lines(archive, 0, &result), KAIZEN_OK);
  cr_assert_eq(result.recorded, 2);
  cr_assert_eq(result.older_than_retention, 1);
  for (int day = 0; day < 12; day++) { /* retention looks at the clock once a day */
    given_now_ns += day_ns;
    cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  }
  if (!tells_birth(agent_file("coach", "executions.jsonl")))
    cr_skip_test("when the log was made is not known: lines stay longer");
  cr_assert_eq(count_in(text_of_file(agent_file("coach", "executions.jsonl")), "soon too old"), 0,
               "nothing was pruned");
  cr_assert_eq(record_lines(archive, 0, &result), KAIZEN_OK);
  cr_assert_eq(result.recorded, 0);
  cr_assert_eq(result.older_than_retention, 2);
  cr_assert_eq(result.duplicates, 1);
}

Test(plugin_batch, derived_keys_make_a_batch_that_is_given_again_harmless) {
  static const char lines[] = COACH OTHER COACH KEYED(
      "coach", "own") "{\"agent\":\"coach\",\"success\":true,\"idempotency_key\":null}\n"
                      "{\"agent\":\"coach\",\"success\":true,\"metadata\":{\"a\":{}}}   \r\n";
  struct kaizen_batch_result result = {.struct_size = sizeof result};

  use_instance("");
  cr_assert_eq(record_lines(lines, KAIZEN_BATCH_DERIVE_KEYS, &result), KAIZEN_OK, "%s",
               refused.reason);
  cr_assert_eq(result.recorded, 5, "%s", refused.reason);
  cr_assert_eq(result.duplicates, 1, "the same line twice is one execution");
  cr_assert_eq(record_lines(lines, KAIZEN_BATCH_DERIVE_KEYS, &result), KAIZEN_OK);
  cr_assert_eq(result.recorded, 0);
  cr_assert_eq(result.duplicates, 6);
  cr_assert_eq(count_in(text_of_file(agent_file("coach", "executions.jsonl")),
                        "\"idempotency_key\":\"line:"),
               3);
}

Test(plugin_batch, a_derived_key_counts_towards_the_size_of_a_record) {
  struct kaizen_batch_result result = {.struct_size = sizeof result};
  char line[1200];

  use_instance(",\"max_record_bytes\":1024");
  memset(line, 'x', sizeof line);
  (void)memcpy(line, "{\"agent\":\"coach\",\"success\":true,\"session_id\":\"", 46);
  memcpy(line + 980, "\"}\n", 4);
  cr_assert_eq(record_lines(line, KAIZEN_BATCH_DERIVE_KEYS, &result), KAIZEN_OK);
  cr_assert_eq(result.rejected, 1);
  cr_assert(strstr(refused.reason, "max_record_bytes"), "%s", refused.reason);
  cr_assert_eq(record_lines(line, 0, &result), KAIZEN_OK);
  cr_assert_eq(result.recorded, 1, "%s", refused.reason);
}

Test(plugin_batch, unknown_batch_flags_are_refused_when_low_and_ignored_when_high) {
  struct kaizen_batch_result result = {.struct_size = sizeof result};

  use_instance("");
  for (unsigned bit = 2; bit < 32; bit++) {
    cr_expect_eq(batch->record(instance, COACH, KAIZEN_NTS, 0, 1u << bit, NULL, NULL, &result),
                 bit < 16 ? KAIZEN_E_UNSUPPORTED : KAIZEN_OK, "batch flag %u", bit);
    cr_expect_eq(result.recorded, bit < 16 ? 0 : 1);
    if (bit >= 4 && bit < 8)
      continue; /* those that it knows */
    cr_expect_eq(batch->record(instance, COACH, KAIZEN_NTS, 1u << bit, 0, NULL, NULL, &result),
                 bit < 16 ? KAIZEN_E_UNSUPPORTED : KAIZEN_OK, "execution flag %u", bit);
  }
}

Test(plugin_batch, setting_up_a_stream_refuses_the_low_flags_it_does_not_know) {
  const struct kaizen_broker_1 *broker = plugin->get_extension(KAIZEN_BROKER_1);

  use_instance("");
  for (unsigned bit = 0; bit < 32; bit++) {
    int32_t code = broker->init(instance, NULL, 1, 1u << bit, 1, take_output, &pieces);

    cr_expect_eq(code == KAIZEN_E_UNSUPPORTED, bit > 0 && bit < 16, "flag %u: %d", bit, code);
  }
}

Test(plugin_batch, a_batch_needs_a_running_instance_and_its_arguments) {
  struct kaizen_batch_result result = {.struct_size = sizeof result, .recorded = 7};

  use_instance("");
  cr_assert_eq(batch->record(instance, COACH, 5, 0, 0, NULL, NULL, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_eq(batch->record(instance, NULL, 5, 0, 0, NULL, NULL, &result), KAIZEN_E_ARGUMENT);
  cr_assert_eq(result.recorded, 0, "an out-struct is written on every code");
  result.recorded = 7;
  cr_assert_eq(batch->record(NULL, COACH, 5, 0, 0, NULL, NULL, &result), KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->stop(instance, 0), KAIZEN_OK);
  cr_assert_eq(record_lines(COACH, 0, &result), KAIZEN_E_STOPPED);
  cr_assert_eq(result.recorded, 0);
}

Test(plugin_batch, what_was_consumed_before_a_failure_need_not_be_given_again) {
  static const char lines[] = COACH COACH OTHER OTHER COACH;
  struct kaizen_batch_result result = {.struct_size = sizeof result},
                             rest = {.struct_size = sizeof rest};
  int lock;

  use_instance(",\"lock_timeout_ms\":20");
  cr_assert_eq(record_success(instance, "other", NULL), KAIZEN_RECORDED);
  lock = open(agent_file("other", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(lock, LOCK_EX), 0);
  cr_assert_eq(record_lines(lines, 0, &result), KAIZEN_E_BUSY);
  cr_assert_eq(result.consumed, 2 * strlen(COACH));
  cr_assert_eq(result.recorded, 2);
  (void)close(lock);
  cr_assert_eq(record_lines(lines + result.consumed, 0, &rest), KAIZEN_OK);
  cr_assert_eq(rest.recorded, 3);
  cr_assert_eq(lines_of_file(agent_file("coach", "executions.jsonl")), 3);
  cr_assert_eq(lines_of_file(agent_file("other", "executions.jsonl")), 3);
}

Test(plugin_batch, keyed_lines_given_again_after_a_failure_come_in_once) {
  static const char lines[] = KEYED("coach", "1") KEYED("other", "1") KEYED("coach", "2");
  struct kaizen_batch_result result = {.struct_size = sizeof result};
  int lock;

  use_instance(",\"lock_timeout_ms\":20");
  cr_assert_eq(record_success(instance, "other", NULL), KAIZEN_RECORDED);
  lock = open(agent_file("other", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(lock, LOCK_EX), 0);
  cr_assert_eq(record_lines(lines, 0, &result), KAIZEN_E_BUSY);
  (void)close(lock);
  cr_assert_eq(record_lines(lines + result.consumed, 0, &result), KAIZEN_OK);
  cr_assert_eq(lines_of_file(agent_file("coach", "executions.jsonl")), 2);
  cr_assert_eq(lines_of_file(agent_file("other", "executions.jsonl")), 2);
}

Test(plugin_batch, a_batch_of_many_lines_is_what_single_calls_would_have_been) {
  enum { LINES = 5000 };
  struct kaizen_batch_result result = {.struct_size = sizeof result};
  char *lines = malloc(LINES * 100), *end = lines;
  char counted[64];

  cr_assert(lines);
  for (int i = 0; i < LINES; i++)
    end += sprintf(end,
                   "{\"agent\":\"agent-%d\",\"success\":%s,\"quality_score\":0.%d,"
                   "\"idempotency_key\":\"%d\"}\n",
                   i % 3, i % 4 ? "true" : "false", i % 10, i % 2 ? i : i / 2);
  use_instance(",\"emit_event\":true");
  cr_assert_eq(record_lines(lines, 0, &result), KAIZEN_OK);
  cr_assert_eq(result.lines, LINES);
  cr_assert_eq(result.recorded + result.duplicates, LINES);
  cr_assert_gt(result.duplicates, 0);
  for (int i = 0; i < 3; i++) {
    const char *log;

    (void)snprintf(counted, sizeof counted, "agent-%d", i);
    log = agent_file(counted, "executions.jsonl");
    (void)snprintf(counted, sizeof counted, "\"execution_count\":%zu,", lines_of_file(log));
    cr_assert_eq(count_in(text_of_file(log), counted), 1, "%s", counted);
  }
  cr_assert_eq(stats_of(instance).marked, result.recorded);
  free(lines);
}
