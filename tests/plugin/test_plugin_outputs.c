/* test_plugin_outputs.c - what a host gives and gets: sizes, flags, and outputs on every code.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

#include <math.h>
#include <sys/file.h>

TestSuite(plugin_outputs, .init = enter_plugin, .fini = leave_plugin);

/* Sizes. */

Test(plugin_outputs, an_out_struct_that_is_too_small_is_not_written) {
  struct kaizen_execution execution = execution_of("coach");
  unsigned char bytes[sizeof(struct kaizen_stats) + 64];

  use_instance("");
  for (int which = 0; which < 3; which++) {
    uint32_t full = which == 0   ? sizeof(struct kaizen_receipt)
                    : which == 1 ? sizeof(struct kaizen_summary)
                                 : offsetof(struct kaizen_stats, unknown_agents);

    for (uint32_t size = 0; size < full; size++) {
      int32_t code;

      memset(bytes, GUARD, sizeof bytes);
      memcpy(bytes, &size, sizeof size);
      code = which == 0   ? plugin->on_execution_end(instance, &execution, (void *)bytes, NULL)
             : which == 1 ? plugin->on_execution_end_json(instance, "{}", 2, 0, NULL, (void *)bytes)
                          : plugin->stats(instance, (void *)bytes);
      cr_assert_eq(code, KAIZEN_E_ARGUMENT, "struct %d of %u bytes", which, size);
      for (size_t i = sizeof size; i < sizeof bytes; i++)
        cr_assert_eq(bytes[i], GUARD, "struct %d of %u bytes, byte %zu", which, size, i);
    }
  }
  cr_assert_not(is_there(in_sandbox(".kaizen")));
}

Test(plugin_outputs, of_two_out_structs_the_one_that_fits_says_what_is_wrong) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_receipt receipt = receipt_of();
  struct kaizen_summary summary = {.struct_size = 4};

  use_instance("");
  cr_assert_eq(plugin->on_execution_end(instance, &execution, &receipt, &summary),
               KAIZEN_E_ARGUMENT);
  cr_assert(strstr(receipt.reason, "1.0 layout"), "%s", receipt.reason);
}

Test(plugin_outputs, the_rest_of_a_larger_out_struct_is_zeroed_and_no_more) {
  struct kaizen_execution execution = execution_of("coach");
  _Alignas(8) unsigned char receipt[sizeof(struct kaizen_receipt) + 64];
  _Alignas(8) unsigned char summary[sizeof(struct kaizen_summary) + 64];
  _Alignas(8) unsigned char stats[sizeof(struct kaizen_stats) + 64];

  use_instance("");
  for (uint32_t more = 0; more <= 40; more++) {
    struct {
      unsigned char *bytes;
      uint32_t known, size;
    } outs[] = {{receipt, sizeof(struct kaizen_receipt), 0},
                {summary, sizeof(struct kaizen_summary), 0},
                {stats, sizeof(struct kaizen_stats), 0}};

    for (int i = 0; i < 3; i++) {
      outs[i].size = outs[i].known + more;
      memset(outs[i].bytes, GUARD, outs[i].known + 64);
      memcpy(outs[i].bytes, &outs[i].size, sizeof outs[i].size);
    }
    cr_assert_eq(plugin->on_execution_end(instance, &execution, (void *)receipt, (void *)summary),
                 KAIZEN_RECORDED);
    cr_assert_eq(plugin->stats(instance, (void *)stats), KAIZEN_OK);
    for (int i = 0; i < 3; i++) {
      uint32_t size;

      memcpy(&size, outs[i].bytes, sizeof size);
      cr_assert_eq(size, outs[i].size, "struct_size was changed");
      for (uint32_t at = outs[i].known; at < outs[i].known + 64; at++)
        cr_assert_eq(outs[i].bytes[at], at < outs[i].size ? 0 : GUARD,
                     "struct %d, %u more, byte %u", i, more, at);
    }
  }
}

Test(plugin_outputs, an_in_struct_may_be_larger_and_never_smaller) {
  struct {
    struct kaizen_execution execution;
    unsigned char tail[64];
  } given = {.execution = execution_of("coach")};
  struct kaizen_receipt receipt = receipt_of();

  use_instance("");
  memset(given.tail, GUARD, sizeof given.tail);
  given.execution.struct_size = sizeof given;
  cr_assert_eq(plugin->on_execution_end(instance, &given.execution, &receipt, NULL),
               KAIZEN_RECORDED, "%s", receipt.reason);
  for (uint32_t size = 0; size < sizeof given.execution; size++) {
    given.execution.struct_size = size;
    cr_assert_eq(plugin->on_execution_end(instance, &given.execution, &receipt, NULL),
                 KAIZEN_E_ARGUMENT, "%u bytes", size);
    cr_assert(receipt.reason[0]);
  }
}

/* Flags. */

Test(plugin_outputs, unknown_flags_are_refused_when_low_and_ignored_when_high) {
  struct kaizen_receipt receipt = receipt_of();

  use_instance("");
  for (unsigned bit = 9; bit < 32; bit++) {
    struct kaizen_execution execution = execution_of("coach");

    execution.flags = 1u << bit;
    cr_expect_eq(plugin->on_execution_end(instance, &execution, &receipt, NULL),
                 bit < 16 ? KAIZEN_E_UNSUPPORTED : KAIZEN_RECORDED, "bit %u: %s", bit,
                 receipt.reason);
  }
  cr_assert_eq(lines_of_file(agent_file("coach", "executions.jsonl")), 16);
}

/* Outputs on every code. */

/* How many words were not written: no member is smaller, and a single byte of a number may have any
 * value. */
static size_t words_left(const void *bytes, size_t size) {
  uint32_t guard, word;
  size_t left = 0;

  memset(&guard, GUARD, sizeof guard);
  for (size_t i = 0; i + sizeof word <= size; i += sizeof word) {
    memcpy(&word, (const char *)bytes + i, sizeof word);
    left += word == guard;
  }
  return left;
}

static void expect_written(const char *name, int32_t code, int32_t wanted,
                           const struct kaizen_receipt *receipt,
                           const struct kaizen_summary *summary) {
  size_t left = words_left(receipt, sizeof *receipt) + words_left(summary, sizeof *summary);

  cr_expect_eq(code, wanted, "%s: %s, %s", name, plugin->code_name(code), receipt->reason);
  cr_expect_eq(code < 0, receipt->reason[0] != '\0', "%s: reason \"%s\"", name, receipt->reason);
  cr_expect_eq(code < 0, summary->execution_count == 0, "%s: the summary", name);
  cr_expect_eq(left, 0, "%s: %zu words were not written", name, left);
}

static int32_t record_guarded(const struct kaizen_execution *execution,
                              struct kaizen_receipt *receipt, struct kaizen_summary *summary) {
  memset(receipt, GUARD, sizeof *receipt);
  memset(summary, GUARD, sizeof *summary);
  receipt->struct_size = sizeof *receipt;
  summary->struct_size = sizeof *summary;
  return plugin->on_execution_end(instance, execution, receipt, summary);
}

Test(plugin_outputs, an_execution_that_is_only_checked_leaves_no_trace) {
  struct kaizen_receipt receipt = receipt_of();
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_stats stats = {.struct_size = sizeof stats};

  use_instance("");
  execution.flags = KAIZEN_EXEC_CHECK_ONLY;
  cr_expect_eq(plugin->on_execution_end(instance, &execution, &receipt, NULL), KAIZEN_OK);
  cr_expect_str_eq(receipt.reason, "");
  execution.flags |= KAIZEN_EXEC_HAS_QUALITY;
  execution.quality_score = 90;
  cr_expect_eq(plugin->on_execution_end(instance, &execution, &receipt, NULL), KAIZEN_E_REJECTED);
  cr_expect(strstr(receipt.reason, "quality_score"), "%s", receipt.reason);
  cr_expect_eq(plugin->on_execution_end_json(instance, "{\"agent\":\"coach\",\"success\":1}",
                                             KAIZEN_NTS, KAIZEN_EXEC_CHECK_ONLY, &receipt, NULL),
               KAIZEN_E_REJECTED);
  cr_expect_eq(plugin->on_execution_end_json(instance, "{\"agent\":\"coach\",\"success\":true}",
                                             KAIZEN_NTS, KAIZEN_EXEC_CHECK_ONLY, &receipt, NULL),
               KAIZEN_OK);
  cr_expect_eq(plugin->stats(instance, &stats), KAIZEN_OK);
  cr_expect_eq(stats.recorded + stats.rejected + stats.failed + stats.duplicates, 0);
  cr_expect_eq(access(agent_file("coach", "executions.jsonl"), F_OK), -1);
}

Test(plugin_outputs, outputs_are_written_whatever_the_code) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_receipt receipt;
  struct kaizen_summary summary;
  int32_t code, lock;

  bring_to(CONFIGURED);
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("not running", code, KAIZEN_E_STOPPED, &receipt, &summary);
  plugin->destroy(instance);
  use_instance(",\"lock_timeout_ms\":20");
  execution.idempotency_key = text_of("k");
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("recorded", code, KAIZEN_RECORDED, &receipt, &summary);
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("duplicate", code, KAIZEN_DUPLICATE, &receipt, &summary);
  execution.flags = 1u << 10;
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("unknown flag", code, KAIZEN_E_UNSUPPORTED, &receipt, &summary);
  execution.flags = 0;
  execution.outcome = 0;
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("rejected", code, KAIZEN_E_REJECTED, &receipt, &summary);
  execution.outcome = KAIZEN_FAILURE;
  code = record_guarded(NULL, &receipt, &summary);
  expect_written("no execution", code, KAIZEN_E_ARGUMENT, &receipt, &summary);
  lock = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(lock, LOCK_EX), 0);
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("busy", code, KAIZEN_E_BUSY, &receipt, &summary);
  (void)close(lock);
  cr_assert_eq(symlink("/dev/null", in_sandbox(".kaizen/metrics/other")), 0);
  execution.agent = text_of("other");
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("a link", code, KAIZEN_E_IO, &receipt, &summary);
  cr_assert(strstr(receipt.reason, ".kaizen/metrics/other: a symbolic link"), "%s", receipt.reason);
}

/* Answers. */

Test(plugin_outputs, a_receipt_says_what_is_marked_and_a_duplicate_repeats_the_first_id) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_receipt first, again;
  struct kaizen_summary summary;

  use_instance(",\"emit_event\":true");
  execution.idempotency_key = text_of("k");
  cr_assert_eq(record_guarded(&execution, &first, &summary), KAIZEN_RECORDED);
  cr_assert_eq(first.flags, KAIZEN_RECEIPT_MARKED);
  cr_assert_eq(strlen(first.event_id), 36);
  cr_assert_str_eq(first.reason, "");
  cr_assert_eq(record_guarded(&execution, &again, &summary), KAIZEN_DUPLICATE);
  cr_assert_eq(again.flags, KAIZEN_RECEIPT_MARKED);
  cr_assert_str_eq(again.event_id, first.event_id);
  execution.outcome = KAIZEN_FAILURE;
  cr_assert_eq(record_guarded(&execution, &again, &summary), KAIZEN_DUPLICATE);
  cr_assert_eq(again.flags, KAIZEN_RECEIPT_MARKED | KAIZEN_RECEIPT_KEY_CONFLICT);
  cr_assert_eq(summary.execution_count, 1);

  execution = execution_of("coach");
  execution.flags = KAIZEN_EXEC_NO_EMIT;
  cr_assert_eq(record_guarded(&execution, &again, &summary), KAIZEN_RECORDED);
  cr_assert_eq(again.flags, 0);
  cr_assert_str_eq(again.event_id, "");
  cr_assert_eq(stats_of(instance).marked, 1);
  cr_assert_eq(stats_of(instance).pending, 1);
  cr_assert_gt(stats_of(instance).oldest_pending_unix_ns, 0);
}

Test(plugin_outputs, a_summary_answers_what_summary_json_says) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_receipt receipt;
  struct kaizen_summary summary;

  use_instance(",\"retention_days\":0");
  execution.flags = KAIZEN_EXEC_HAS_TIME | KAIZEN_EXEC_HAS_QUALITY;
  execution.execution_time_s = 120;
  execution.quality_score = 0.9;
  execution.timestamp_unix_ns = INT64_C(1767225600999999999);
  cr_assert_eq(record_guarded(&execution, &receipt, &summary), KAIZEN_RECORDED, "%s",
               receipt.reason);
  cr_assert_eq(summary.flags, KAIZEN_SUMMARY_HAS_QUALITY | KAIZEN_SUMMARY_HAS_TIME);
  cr_assert_eq(summary.execution_count, 1);
  cr_assert_float_eq(summary.success_rate, 1, 0);
  cr_assert_float_eq(summary.avg_quality_score, 0.9, 0);
  cr_assert_float_eq(summary.avg_execution_time_s, 120, 0);
  cr_assert_eq(summary.last_execution_unix_ns, INT64_C(1767225600000000000));
  cr_assert_eq(summary.trend_success_rate, KAIZEN_TREND_STABLE);
  cr_assert(strstr(text_of_file(agent_file("coach", "summary.json")),
                   "\"avg_execution_time_s\": 120.0,"));
}

Test(plugin_outputs, a_time_beyond_what_nanoseconds_tell_is_the_greatest) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_receipt receipt;
  struct kaizen_summary summary;

  use_instance(",\"retention_days\":0");
  make_agent_folder("coach");
  append_to_file(agent_file("coach", "executions.jsonl"),
                 "{\"timestamp\":\"9999-12-31T23:59:59Z\",\"agent\":\"coach\",\"success\":true}\n");
  cr_assert_eq(record_guarded(&execution, &receipt, &summary), KAIZEN_RECORDED, "%s",
               receipt.reason);
  cr_assert_eq(summary.last_execution_unix_ns, INT64_MAX);
}

static void forget_outcome(struct kaizen_execution *e) {
  e->outcome = 0;
}
static void outcome_three(struct kaizen_execution *e) {
  e->outcome = 3;
}
static void no_agent(struct kaizen_execution *e) {
  e->agent = (struct kaizen_str){NULL, 0};
}
static void empty_agent(struct kaizen_execution *e) {
  e->agent = (struct kaizen_str){"", 0};
}
static void reserved_agent(struct kaizen_execution *e) {
  e->agent = text_of("optimizer");
}
static void agent_above(struct kaizen_execution *e) {
  e->agent = text_of("../coach");
}
static void agent_with_nul(struct kaizen_execution *e) {
  e->agent = (struct kaizen_str){"co\0ch", 5};
}
static void empty_key(struct kaizen_execution *e) {
  e->idempotency_key = (struct kaizen_str){"", 0};
}
static void length_without_pointer(struct kaizen_execution *e) {
  e->session_id = (struct kaizen_str){NULL, 3};
}
static void time_without_flag(struct kaizen_execution *e) {
  e->execution_time_s = 1;
}
static void negative_time(struct kaizen_execution *e) {
  e->flags = KAIZEN_EXEC_HAS_TIME;
  e->execution_time_s = -1;
}
static void infinite_time(struct kaizen_execution *e) {
  e->flags = KAIZEN_EXEC_HAS_TIME;
  e->execution_time_s = INFINITY;
}
static void quality_not_a_number(struct kaizen_execution *e) {
  e->flags = KAIZEN_EXEC_HAS_QUALITY;
  e->quality_score = NAN;
}
static void quality_too_high(struct kaizen_execution *e) {
  e->flags = KAIZEN_EXEC_HAS_QUALITY;
  e->quality_score = 1.2;
}
static void emit_and_not(struct kaizen_execution *e) {
  e->flags = KAIZEN_EXEC_EMIT | KAIZEN_EXEC_NO_EMIT;
}
static void session_not_utf8(struct kaizen_execution *e) {
  e->session_id = text_of("\xc3\x28");
}
static void metadata_list(struct kaizen_execution *e) {
  e->metadata_json = text_of("[]");
}
static void metadata_torn(struct kaizen_execution *e) {
  e->metadata_json = text_of("{\"a\":");
}
static void unknown_extra(struct kaizen_execution *e) {
  e->extra_json = text_of("{\"flavour\":\"x\"}");
}
static void too_old(struct kaizen_execution *e) {
  e->timestamp_unix_ns = 1;
}

Test(plugin_outputs, what_can_never_be_recorded_is_rejected_with_the_reason_and_writes_nothing) {
  static const struct {
    const char *name;
    void (*spoil)(struct kaizen_execution *);
    const char *says;
  } cases[] = {
      {"forgotten outcome", forget_outcome, "outcome is 0"},
      {"outcome 3", outcome_three, "outcome is 3"},
      {"no agent", no_agent, "agent"},
      {"empty agent", empty_agent, "agent"},
      {"reserved agent", reserved_agent, "optimizer"},
      {"agent above", agent_above, "agent"},
      {"agent with NUL", agent_with_nul, "agent"},
      {"empty key", empty_key, "idempotency_key is empty"},
      {"length without pointer", length_without_pointer, "session_id"},
      {"time without flag", time_without_flag, "HAS_TIME"},
      {"negative time", negative_time, "execution_time_s is -1"},
      {"infinite time", infinite_time, "execution_time_s is Infinity"},
      {"quality NaN", quality_not_a_number, "quality_score is NaN"},
      {"quality 1.2", quality_too_high, "quality_score is 1.2"},
      {"emit and not", emit_and_not, "EMIT and NO_EMIT"},
      {"session not UTF-8", session_not_utf8, "session_id"},
      {"metadata list", metadata_list, "metadata_json"},
      {"metadata torn", metadata_torn, "metadata_json"},
      {"unknown extra", unknown_extra, "flavor"},
      {"too old", too_old, "older than retention_days"},
  };

  use_instance("");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct kaizen_execution execution = execution_of("coach");
    struct kaizen_receipt receipt;
    struct kaizen_summary summary;

    cases[i].spoil(&execution);
    cr_expect_eq(record_guarded(&execution, &receipt, &summary), KAIZEN_E_REJECTED, "%s",
                 cases[i].name);
    cr_expect(strstr(receipt.reason, cases[i].says), "%s: %s", cases[i].name, receipt.reason);
  }
  cr_assert_not(is_there(in_sandbox(".kaizen")));
  cr_assert_eq(stats_of(instance).rejected, sizeof cases / sizeof *cases);
}

Test(plugin_outputs, a_long_reason_is_cut_between_characters) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_receipt receipt;
  struct kaizen_summary summary;
  char key[900];
  size_t len;

  use_instance("");
  for (len = 0; len < 800; len += 3)
    memcpy(key + len, "\xe2\x82\xac", 3); /* the euro sign */
  memcpy(key + len, ".json", 6);
  execution.agent = text_of(key);
  cr_assert_eq(record_guarded(&execution, &receipt, &summary), KAIZEN_E_REJECTED);
  len = strlen(receipt.reason);
  cr_assert_lt(len, sizeof receipt.reason);
  cr_assert(len > 0 && ((unsigned char)receipt.reason[len - 1] < 0x80 ||
                        strcmp(receipt.reason + len - 3, "\xe2\x82\xac") == 0),
            "%s", receipt.reason);
}

Test(plugin_outputs, json_is_recorded_by_length_or_by_its_end) {
  static const char json[] = "{\"agent\":\"coach\",\"success\":true}trailing";
  struct kaizen_receipt receipt = receipt_of();

  use_instance("");
  cr_assert_eq(plugin->on_execution_end_json(instance, json, strlen(json) - 8, 0, &receipt, NULL),
               KAIZEN_RECORDED, "%s", receipt.reason);
  cr_assert_eq(plugin->on_execution_end_json(instance, json, KAIZEN_NTS, 0, &receipt, NULL),
               KAIZEN_E_REJECTED);
  cr_assert_eq(plugin->on_execution_end_json(instance, NULL, 0, 0, &receipt, NULL),
               KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->on_execution_end_json(instance, "", 0, 0, &receipt, NULL),
               KAIZEN_E_REJECTED);
}
