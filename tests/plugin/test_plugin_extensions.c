/* test_plugin_extensions.c - batches, reports, repair and names through the real file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/file.h>

static const struct kaizen_batch_1 *batch;
static const struct kaizen_inspect_1 *inspect;
static const struct kaizen_repair_1 *repair;
static const struct kaizen_names_1 *names;
static char output[65536]; /* what a sink was given */
static unsigned pieces;    /* in how many calls */

static void set_up(void) {
  enter_plugin();
  batch = plugin->get_extension(KAIZEN_BATCH_1);
  inspect = plugin->get_extension(KAIZEN_INSPECT_1);
  repair = plugin->get_extension(KAIZEN_REPAIR_1);
  names = plugin->get_extension(KAIZEN_NAMES_1);
}

TestSuite(plugin_extensions, .init = set_up, .fini = leave_plugin);

static int32_t take_output(void *ctx, const char *data, size_t len) {
  size_t before = strlen(output);

  cr_assert_eq(ctx, &pieces);
  cr_assert_lt(before + len, sizeof output);
  memcpy(output + before, data, len);
  output[before + len] = '\0';
  pieces++;
  return 0;
}

static void forget_output(void) {
  output[0] = '\0';
  pieces = 0;
}

static int32_t refuse_output(void *ctx, const char *data, size_t len) {
  (void)ctx;
  (void)data;
  (void)len;
  return 1;
}

/* Readers beside a recorder. */

static atomic_bool enough;
static atomic_uint reads;

static void *read_in_a_loop(void *ctx) {
  struct kaizen_host_v1 host = plain_host();
  struct kaizen_instance *own = start_instance(&host, sandbox.root, "");

  while (!atomic_load(&enough)) {
    struct kaizen_summary summary = summary_of_size();

    if (inspect->summary(own, "coach", KAIZEN_NTS, &summary) != KAIZEN_OK)
      atomic_fetch_add((atomic_uint *)ctx, 1);
    atomic_fetch_add(&reads, 1);
  }
  plugin->destroy(own);
  return NULL;
}

Test(plugin_extensions, eight_threads_that_read_in_a_loop_let_every_record_pass) {
  enum { READERS = 8, RECORDS = 200 };
  struct kaizen_summary summary = summary_of_size();
  pthread_t threads[READERS];
  atomic_uint refusals = 0;

  use_instance("");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  for (unsigned i = 0; i < READERS; i++)
    cr_assert_eq(pthread_create(&threads[i], NULL, read_in_a_loop, &refusals), 0);
  for (unsigned i = 1; i < RECORDS || atomic_load(&reads) < RECORDS; i++)
    cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED, "%s", why(instance));
  atomic_store(&enough, true);
  for (unsigned i = 0; i < READERS; i++)
    cr_assert_eq(pthread_join(threads[i], NULL), 0);
  cr_assert_eq(refusals, 0);
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, &summary), KAIZEN_OK);
  cr_assert_eq(summary.execution_count, lines_of_file(agent_file("coach", "executions.jsonl")));
}

Test(plugin_extensions, a_reader_waits_in_line_behind_whoever_waits_to_write) {
  struct kaizen_summary summary = summary_of_size();
  int next;

  use_instance("");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  next = open(agent_file("coach", ".next"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(next, LOCK_EX), 0);
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, &summary), KAIZEN_E_BUSY);
  (void)close(next);
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, &summary), KAIZEN_OK);
}

/* Batches. */

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

#define COACH "{\"agent\":\"coach\",\"success\":true}\n"
#define OTHER "{\"agent\":\"other\",\"success\":true}\n"
#define KEYED(agent, key)                                                                          \
  "{\"agent\":\"" agent "\",\"success\":true,\"idempotency_key\":\"" key "\"}\n"

Test(plugin_extensions, a_batch_records_lines_of_several_agents) {
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

Test(plugin_extensions, a_last_line_without_its_newline_is_taken_too) {
  struct kaizen_batch_result result = {.struct_size = sizeof result};

  use_instance("");
  cr_assert_eq(record_lines(COACH "{\"agent\":\"coach\",\"success\":true}", 0, &result), KAIZEN_OK);
  cr_assert_eq(result.recorded, 2);
  cr_assert_eq(result.consumed, 2 * strlen(COACH) - 1);
  cr_assert_eq(record_lines("", 0, &result), KAIZEN_OK);
  cr_assert_eq(result.lines, 0);
}

Test(plugin_extensions, what_is_not_recorded_is_told_with_its_line) {
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

Test(plugin_extensions, lines_older_than_the_retention_are_counted_and_no_others) {
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
Test(plugin_extensions, a_replay_goes_on_after_a_prune_without_bringing_anything_back) {
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

Test(plugin_extensions, derived_keys_make_a_batch_that_is_given_again_harmless) {
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

Test(plugin_extensions, a_derived_key_counts_towards_the_size_of_a_record) {
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

Test(plugin_extensions, unknown_batch_flags_are_refused_when_low_and_ignored_when_high) {
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

Test(plugin_extensions, setting_up_a_stream_refuses_the_low_flags_it_does_not_know) {
  const struct kaizen_broker_1 *broker = plugin->get_extension(KAIZEN_BROKER_1);

  use_instance("");
  for (unsigned bit = 0; bit < 32; bit++) {
    int32_t code = broker->init(instance, NULL, 1, 1u << bit, 1, take_output, &pieces);

    cr_expect_eq(code == KAIZEN_E_UNSUPPORTED, bit > 0 && bit < 16, "flag %u: %d", bit, code);
  }
}

Test(plugin_extensions, a_batch_needs_a_running_instance_and_its_arguments) {
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

Test(plugin_extensions, what_was_consumed_before_a_failure_need_not_be_given_again) {
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

Test(plugin_extensions, keyed_lines_given_again_after_a_failure_come_in_once) {
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

Test(plugin_extensions, a_batch_of_many_lines_is_what_single_calls_would_have_been) {
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

/* Reports. */

Test(plugin_extensions, a_summary_is_read_without_recording) {
  struct kaizen_summary summary = {.struct_size = sizeof summary, .execution_count = 7};

  use_instance("");
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, &summary), KAIZEN_E_REJECTED);
  cr_assert_eq(summary.execution_count, 0);
  cr_assert_not(is_there(in_sandbox(".kaizen")));
  cr_assert_eq(inspect->summary(instance, "../x", KAIZEN_NTS, &summary), KAIZEN_E_REJECTED);
  cr_assert_eq(inspect->summary(instance, NULL, 0, &summary), KAIZEN_E_REJECTED);
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  append_to_file(agent_file("coach", "executions.jsonl"), COACH "torn");
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, &summary), KAIZEN_OK);
  cr_assert_eq(summary.execution_count, 2);
  cr_assert_eq(count_in(text_of_file(agent_file("coach", "executions.jsonl")), "torn\n"), 0);
}

Test(plugin_extensions, recent_records_are_the_logs_own_lines_oldest_first) {
  use_instance("");
  make_agent_folder("coach");
  put_file(agent_file("coach", "executions.jsonl"),
           "{\"agent\":\"coach\",\"success\":true,\"session_id\":\"1\"}\n"
           "garbage\n"
           "{\"agent\":\"coach\",\"success\":true,\"session_id\":\"2\"}\n"
           "\n"
           "{\"agent\":\"coach\",  \"success\":false,\"session_id\":\"3\"}\n"
           "{\"torn\":");
  cr_assert_eq(inspect->recent(instance, "coach", KAIZEN_NTS, 2, take_output, &pieces), KAIZEN_OK);
  cr_assert_str_eq(output, "{\"agent\":\"coach\",\"success\":true,\"session_id\":\"2\"}\n"
                           "{\"agent\":\"coach\",  \"success\":false,\"session_id\":\"3\"}\n");
  cr_assert_eq(pieces, 2);
  for (uint64_t max = 0; max < 10; max += max ? 1 : 3) {
    forget_output();
    cr_assert_eq(inspect->recent(instance, "coach", KAIZEN_NTS, max, take_output, &pieces),
                 KAIZEN_OK);
    cr_assert_eq(pieces, 3, "max %llu", (unsigned long long)max);
  }
  forget_output();
  cr_assert_eq(inspect->recent(instance, "coach", KAIZEN_NTS, UINT64_MAX, take_output, &pieces),
               KAIZEN_OK);
  cr_assert_eq(inspect->recent(instance, "coach", KAIZEN_NTS, 1, refuse_output, NULL),
               KAIZEN_E_ENDED);
  cr_assert_eq(inspect->recent(instance, "coach", KAIZEN_NTS, 1, NULL, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_eq(inspect->recent(instance, "none", KAIZEN_NTS, 1, take_output, &pieces),
               KAIZEN_E_REJECTED);
}

Test(plugin_extensions, delivery_is_told_for_every_agent_by_name) {
  use_instance(",\"emit_event\":true,\"project\":\"shop\"");
  cr_assert_eq(inspect->delivery(instance, take_output, &pieces), KAIZEN_OK);
  cr_assert(strstr(output, "\"agents\":[],\"complete\":true"), "%s", output);
  cr_assert_eq(record_success(instance, "zebra", NULL), KAIZEN_RECORDED);
  cr_assert_eq(record_success(instance, "ant", NULL), KAIZEN_RECORDED);
  forget_output();
  cr_assert_eq(inspect->delivery(instance, take_output, &pieces), KAIZEN_OK);
  cr_assert_eq(pieces, 1);
  cr_assert(strstr(output, "{\"project\":\"shop\",\"project_root\":"), "%s", output);
  cr_assert(strstr(output, "\"state\":\"elsewhere\""), "%s", output);
  cr_assert_lt(strstr(output, "\"agent\":\"ant\""), strstr(output, "\"agent\":\"zebra\""));
  cr_assert(strstr(output, "\"marked\":1,\"acknowledged\":0,\"pending\":1,\"held\":0,"
                           "\"dead_lettered\":0,\"oldest_pending\":\"2"),
            "%s", output);
  cr_assert_eq(inspect->delivery(instance, refuse_output, NULL), KAIZEN_E_ENDED);
}

Test(plugin_extensions, one_agent_that_cannot_be_read_does_not_hide_the_others) {
  use_instance("");
  cr_assert_eq(record_success(instance, "ant", NULL), KAIZEN_RECORDED);
  make_agent_folder("bee");
  cr_assert_eq(symlink("/dev/null", agent_file("bee", "executions.jsonl")), 0);
  cr_assert_eq(inspect->delivery(instance, take_output, &pieces), KAIZEN_OK);
  cr_assert(strstr(output, "{\"agent\":\"bee\",\"why\":\"bee: executions.jsonl"), "%s", output);
  cr_assert(strstr(output, "\"agent\":\"ant\",\"execution_count\":1"), "%s", output);
}

Test(plugin_extensions, the_configuration_is_told_without_credentials) {
  use_instance(",\"trend_window\":7");
  cr_assert_eq(plugin->stop(instance, 0), KAIZEN_OK);
  cr_assert_eq(
      plugin->configure_key(instance, "nats_url", "nats://me:secret@127.0.0.1:9", KAIZEN_NTS),
      KAIZEN_OK);
  cr_assert_eq(inspect->config(instance, take_output, &pieces), KAIZEN_OK);
  cr_assert(strstr(output, "\"trend_window\":{\"value\":7,\"origin\":\"configured\"}"), "%s",
            output);
  cr_assert_null(strstr(output, "secret"), "%s", output);
}

Test(plugin_extensions, nothing_is_told_of_an_instance_without_a_project) {
  struct kaizen_host_v1 host = plain_host();
  struct kaizen_summary summary = {.struct_size = sizeof summary};

  cr_assert_eq(plugin->create(&host, &instance), KAIZEN_OK);
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, &summary), KAIZEN_E_STATE);
  cr_assert_eq(inspect->recent(instance, "coach", KAIZEN_NTS, 1, take_output, &pieces),
               KAIZEN_E_STATE);
  cr_assert_eq(inspect->delivery(instance, take_output, &pieces), KAIZEN_E_STATE);
  cr_assert_eq(inspect->config(instance, take_output, &pieces), KAIZEN_E_STATE);
  cr_assert_eq(repair->verify(instance, "coach", KAIZEN_NTS, take_output, &pieces), KAIZEN_E_STATE);
  cr_assert_eq(repair->repair(instance, "coach", KAIZEN_NTS, take_output, &pieces), KAIZEN_E_STATE);
  cr_assert_eq(pieces, 0);
}

/* Repair. */

Test(plugin_extensions, a_repair_says_where_it_saved_what_it_took_out) {
  use_instance("");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  append_to_file(agent_file("coach", "executions.jsonl"), "garbage\n");
  cr_assert_eq(repair->verify(instance, "coach", KAIZEN_NTS, take_output, &pieces), KAIZEN_OK);
  cr_assert(strstr(output, "\"consistent\":false") && strstr(output, "\"bad_line_count\":1"), "%s",
            output);
  forget_output();
  cr_assert_eq(repair->repair(instance, "coach", KAIZEN_NTS, take_output, &pieces), KAIZEN_OK, "%s",
               why(instance));
  cr_assert(strstr(output, "\"consistent\":true") && strstr(output, "\"saved_to\":\".salvage-"),
            "%s", output);
  cr_assert_eq(output[strlen(output) - 1], '}');
  forget_output();
  cr_assert_eq(repair->repair(instance, "coach", KAIZEN_NTS, take_output, &pieces), KAIZEN_OK);
  cr_assert_null(strstr(output, "saved_to"), "%s", output);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(agent_file("coach", "executions.jsonl")), 2);
}

Test(plugin_extensions, nothing_is_repaired_of_an_agent_that_never_recorded) {
  use_instance("");
  cr_assert_eq(repair->verify(instance, "coach", KAIZEN_NTS, take_output, &pieces),
               KAIZEN_E_REJECTED);
  cr_assert_eq(repair->repair(instance, "coach", KAIZEN_NTS, take_output, &pieces),
               KAIZEN_E_REJECTED);
  cr_assert_eq(repair->repair(instance, "not legal", KAIZEN_NTS, take_output, &pieces),
               KAIZEN_E_REJECTED);
  cr_assert_eq(repair->verify(instance, "coach", KAIZEN_NTS, NULL, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_not(is_there(in_sandbox(".kaizen")));
}

/* last_error. */

static int32_t last_call(int call) {
  struct kaizen_batch_result result = {.struct_size = sizeof result}, small = {.struct_size = 8};
  struct kaizen_summary summary = {.struct_size = sizeof summary};
  const struct kaizen_delivery_1 *delivery = plugin->get_extension(KAIZEN_DELIVERY_1);
  const struct kaizen_broker_1 *broker = plugin->get_extension(KAIZEN_BROKER_1);
  const struct kaizen_query_1 *query = plugin->get_extension(KAIZEN_QUERY_1);
  struct kaizen_query asked = {.struct_size = sizeof asked, .agent = text_of("nobody-14")};
  uint64_t count;

  switch (call) {
  case 0:
    return plugin->configure(instance, "{}", 2); /* while running */
  case 1:
    return plugin->configure_key(instance, "fsync", NULL, 0);
  case 2:
    return plugin->start(instance);
  case 3:
    return plugin->stats(instance, NULL);
  case 4:
    return inspect->summary(instance, "nobody", KAIZEN_NTS, &summary);
  case 5:
    return inspect->recent(instance, "nobody-5", KAIZEN_NTS, 1, take_output, &pieces);
  case 6:
    return inspect->delivery(instance, refuse_output, NULL);
  case 7:
    return inspect->config(instance, NULL, NULL);
  case 8:
    return batch->record(instance, COACH, KAIZEN_NTS, 0, 0, NULL, NULL, &small);
  case 9:
    return batch->record(instance, COACH, KAIZEN_NTS, 1, 0, NULL, NULL, &result);
  case 10:
    return delivery->resend(instance, 0, NULL);
  case 11:
    return delivery->dead_letters(instance, NULL, NULL);
  case 12:
    return broker->init(instance, "no name", 9, KAIZEN_BROKER_DRY_RUN, 1, refuse_output, NULL);
  case 13:
    return repair->verify(instance, "nobody", KAIZEN_NTS, take_output, &pieces);
  case 14:
    return query->records(instance, &asked, take_output, &pieces, NULL);
  case 15:
    return query->agents(instance, NULL, NULL);
  case 16:
    (void)plugin->stop(instance, 0);
    return plugin->flush(instance, 0, &count);
  default:
    return plugin->stop(instance, 0);
  }
}

Test(plugin_extensions, last_error_is_of_the_last_call_that_failed_whichever_it_was) {
  char before[512] = "", now[512];

  use_instance("");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  for (int call = 0; call <= 17; call++) {
    cr_expect_lt(last_call(call), 0, "call %d", call);
    (void)plugin->last_error(instance, now, sizeof now);
    cr_expect_str_neq(now, before, "call %d left the text of another", call);
    (void)snprintf(before, sizeof before, "%s", now);
  }
}

/* Names. */

Test(plugin_extensions, names_are_mapped_to_legal_ones_that_record) {
  char name[KAIZEN_NAME_MAX + 1], reason[208];

  use_instance("");
  cr_assert_eq(names->map("coach", KAIZEN_NTS, name, NULL, 0), 0);
  cr_assert_str_eq(name, "coach");
  cr_assert_eq(names->map("Triage Agent", KAIZEN_NTS, name, NULL, 0), 1);
  cr_assert_eq(record_success(instance, name, NULL), KAIZEN_RECORDED);
  cr_assert_eq(names->map("", KAIZEN_NTS, name, reason, sizeof reason), KAIZEN_E_REJECTED);
  cr_assert_str_eq(reason, "agent is missing or empty; name the agent that ran");
  cr_assert_eq(names->map("\xff", KAIZEN_NTS, name, reason, sizeof reason), KAIZEN_E_REJECTED);
  cr_assert_str_eq(reason, "agent \"\\xff\" is not UTF-8; convert it");
  cr_assert_eq(names->map("\xff", KAIZEN_NTS, name, reason, 6), KAIZEN_E_REJECTED);
  cr_assert_str_eq(reason, "agent");
  cr_assert_eq(names->map(NULL, 0, name, NULL, 0), KAIZEN_E_ARGUMENT);
  cr_assert_eq(names->map("coach", KAIZEN_NTS, NULL, NULL, 0), KAIZEN_E_ARGUMENT);
}
