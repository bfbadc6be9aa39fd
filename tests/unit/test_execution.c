/* test_execution.c - what an execution may be, what its line says, and what a refusal says.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <kaizen/plugin.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_reader.h"
#include "common/utf8.h"
#include "record/agent_name.h"
#include "record/event_id.h"
#include "record/execution_from_json.h"
#include "record/execution_from_struct.h"

#define NOW_S INT64_C(1772600767) /* 2026-03-04T05:06:07Z */

static struct execution execution;
static struct execution_limits limits;
static struct kaizen_execution in;
static struct error error;

static void set_up(void) {
  execution = (struct execution){0};
  limits = (struct execution_limits){NOW_S, INT64_MIN, 65536, false};
  in = (struct kaizen_execution){
      .struct_size = sizeof in, .outcome = KAIZEN_SUCCESS, .agent = {"coach", KAIZEN_NTS}};
}

static void tear_down(void) {
  execution_fini(&execution);
}

TestSuite(execution, .init = set_up, .fini = tear_down);

static struct span text(const char *bytes) {
  return (struct span){bytes, strlen(bytes)};
}

static struct kaizen_str nts(const char *bytes) {
  return (struct kaizen_str){bytes, KAIZEN_NTS};
}

static int from_struct(void) {
  error = (struct error){0};
  return execution_from_struct(&execution, &in, &limits, &error);
}

static int from_json(const char *json) {
  error = (struct error){0};
  return execution_from_json(&execution, text(json), 0, &limits, &error);
}

/* The whole line of the execution, which must be a record for any reader. */
static void must_be_line(const char *name, const char *expected) {
  struct buffer out = {0};
  struct json_fault fault = {0};
  struct json_value value;
  execution_append_line(&execution, NULL, (struct span){0}, NULL, &out);
  cr_assert(out.len > 0 && out.data[out.len - 1] == '\n', "%s", name);
  cr_assert_eq(json_reader_check((struct span){out.data, out.len - 1}, JSON_STRICT, JSON_DEPTH_MAX,
                                 &value, &fault),
               0, "%s: %s", name, fault.why);
  out.len--;
  cr_expect(span_is(buffer_span(&out), expected), "%s:\n%.*s\n%s", name, (int)out.len, out.data,
            expected);
  buffer_fini(&out);
}

static void must_be_refused(const char *name, int result, const char *message) {
  cr_expect_eq(result, -1, "%s is accepted", name);
  cr_expect_eq(error.code, KAIZEN_E_REJECTED, "%s: code %d", name, error.code);
  cr_expect_str_eq(error.text, message, "%s: %s", name, error.text);
  cr_expect_lt(strlen(error.text), sizeof((struct kaizen_receipt *)0)->reason,
               "%s is too long for a receipt", name);
}

/* The line. */

Test(execution, the_least_execution_is_a_line_with_the_present_time) {
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  must_be_line("struct",
               "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"success\":true}");
  cr_assert_str_eq(execution.agent, "coach");
  cr_assert_eq(execution.timestamp_s, NOW_S);
  cr_assert(execution.success);
  cr_assert_not(execution.has_quality || execution.has_time || execution.marked);
  cr_assert_eq(execution.key.len, 0);
}

static const char full_line[] =
    "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"session_id\":\"s-1\","
    "\"execution_time_s\":12.5,"
    "\"success\":false,\"quality_score\":0.0,\"primary_metric\":{\"name\":\"tests\",\"value\":-0.0,"
    "\"target\":1e+16},"
    "\"metadata\":{\"z\":1.50,\"a\":[1,{\"b\":\"x  "
    "y\"}]},\"helix_session_uid\":\"h\\n\",\"repo\":\"r\",\"flavor\":\"f\","
    "\"tokens\":9007199254740993,\"infra_overhead_share\":0.25,\"idempotency_key\":\"k\xC3\xA9\"}";

static void fill_all(void) {
  in.outcome = KAIZEN_FAILURE;
  in.flags = KAIZEN_EXEC_HAS_TIME | KAIZEN_EXEC_HAS_QUALITY | KAIZEN_EXEC_HAS_PRIMARY |
             KAIZEN_EXEC_HAS_TARGET;
  in.timestamp_unix_ns = NOW_S * 1000000000 + 999999999;
  in.execution_time_s = 12.5;
  in.primary_value = -0.0;
  in.primary_target = 1e16;
  in.session_id = nts("s-1");
  in.primary_name = nts("tests");
  in.idempotency_key = nts("k\xC3\xA9");
  in.metadata_json = nts(" { \"z\" : 1.50, \"a\": [1, {\"b\": \"x  y\"}] } ");
  in.extra_json = nts("{\"tokens\": 9007199254740993, \"flavor\": \"f\", \"repo\": \"r\", "
                      "\"infra_overhead_share\": 0.25, \"helix_session_uid\": \"h\\n\"}");
}

Test(execution, all_fields_stand_in_the_order_of_the_contract) {
  fill_all();
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  must_be_line("struct", full_line);
  cr_assert(execution.has_time && execution.has_quality && !execution.success);
  cr_assert_eq(execution.execution_time_s, 12.5);
  cr_assert(span_is(buffer_span(&execution.key), "k\xC3\xA9"));
}

Test(execution, json_input_gives_the_same_line_whatever_its_order) {
  cr_assert_eq(
      from_json("{\"idempotency_key\":\"k\\u00e9\",\"tokens\": 9007199254740993, \"flavor\": "
                "\"f\", \"repo\": \"r\","
                "\"infra_overhead_share\": 0.25, \"helix_session_uid\": \"h\\n\","
                "\"metadata\": { \"z\" : 1.50, \"a\": [1, {\"b\": \"x  y\"}] },"
                "\"primary_metric\":{\"target\":1e16,\"value\":-0,\"name\":\"t\\u0065sts\"},"
                "\"quality_score\":0,\"success\":false,\"execution_time_s\":125e-1,\"session_id\":"
                "\"s-1\","
                "\"agent\":\"coach\",\"timestamp\":\"2026-03-04T06:06:07.25+01:00\"}"),
      0, "%s", error.text);
  must_be_line("JSON", full_line);
}

Test(execution, a_line_given_back_is_the_same_line) {
  char whole[sizeof full_line + 64];
  snprintf(whole, sizeof whole, "%.*s,\"event_id\":7,\"event\":null}", (int)sizeof full_line - 2,
           full_line);
  cr_assert_eq(from_json(whole), 0, "%s", error.text);
  must_be_line("given back", full_line);
}

Test(execution, null_means_absent_where_a_field_may_be_absent) {
  cr_assert_eq(
      from_json("{\"agent\":\"coach\",\"success\":true,\"timestamp\":null,\"session_id\":null,"
                "\"execution_time_s\":null,\"quality_score\":null,\"primary_metric\":null,"
                "\"metadata\":null,"
                "\"helix_session_uid\":null,\"repo\":null,\"flavor\":null,\"tokens\":null,"
                "\"infra_overhead_share\":null,\"idempotency_key\":null,\"event_id\":null,"
                "\"event\":null}"),
      0, "%s", error.text);
  must_be_line("nulls",
               "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"success\":true}");
  cr_assert_eq(
      from_json(
          "{\"agent\":\"coach\",\"success\":true,\"primary_metric\":{\"name\":\"n\",\"value\":1,"
          "\"target\":null}}"),
      0, "%s", error.text);
  must_be_line("null target",
               "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"success\":true,"
               "\"primary_metric\":{\"name\":\"n\",\"value\":1.0}}");
}

Test(execution, empty_strings_are_values_where_they_identify_nothing) {
  in.session_id = nts("");
  in.metadata_json = nts("{}");
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  must_be_line("struct",
               "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"session_id\":\"\","
               "\"success\":true,\"metadata\":{}}");
}

Test(execution, a_byte_order_mark_is_refused) {
  must_be_refused("JSON", from_json("\xEF\xBB\xBF{\"agent\":\"coach\",\"success\":true}"),
                  "the record begins with a byte order mark; remove it");
  in.metadata_json = nts("\xEF\xBB\xBF{}");
  must_be_refused("metadata", from_struct(),
                  "metadata_json begins with a byte order mark; remove it");
  in.metadata_json = (struct kaizen_str){0};
  in.session_id = nts("\xEF\xBB\xBFs");
  must_be_refused("a text", from_struct(), "session_id begins with a byte order mark; remove it");
}

Test(execution, a_reserved_member_that_is_not_zero_is_unsupported) {
  in.reserved0 = 7;
  cr_assert_eq(from_struct(), -1);
  cr_expect_eq(error.code, KAIZEN_E_UNSUPPORTED);
  cr_expect_str_eq(error.text, "reserved0 is 7; it must be 0");
}

Test(execution, what_breaks_a_line_for_python_is_escaped) {
  in.session_id = (struct kaizen_str){"a\0b\n\x7F\xC2\x85\xE2\x80\xA8\xE2\x80\xA9", 13};
  in.metadata_json = nts("{\"\xC2\x85\": \"\xE2\x80\xA8\x7F\", \"r\": \"\\r\"}");
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  must_be_line("struct",
               "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\","
               "\"session_id\":\"a\\u0000b\\n\\u007f\\u0085\\u2028\\u2029\",\"success\":true,"
               "\"metadata\":{\"\\u0085\":\"\\u2028\\u007f\",\"r\":\"\\r\"}}");
}

Test(execution, lengths_are_exact_and_need_no_terminator) {
  static const char bytes[] = {'c', 'o', 'a', 'c', 'h', 'X'};
  in.agent = (struct kaizen_str){bytes, 5};
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  cr_assert_str_eq(execution.agent, "coach");
}

Test(execution, filling_again_leaves_nothing_of_the_last_time) {
  fill_all();
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  in = (struct kaizen_execution){
      .struct_size = sizeof in, .outcome = KAIZEN_SUCCESS, .agent = {"b", KAIZEN_NTS}};
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  must_be_line("second",
               "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"b\",\"success\":true}");
  cr_assert_eq(execution.key.len, 0);
  cr_assert_not(execution.has_quality || execution.has_time);
}

/* Emission. */

Test(execution, emission_is_decided_by_the_call_or_else_by_the_default) {
  static const struct {
    const char *name;
    uint32_t flags;
    bool by_default, marked;
  } cases[] = {{"nothing, off", 0, false, false},
               {"nothing, on", 0, true, true},
               {"emit, off", KAIZEN_EXEC_EMIT, false, true},
               {"emit, on", KAIZEN_EXEC_EMIT, true, true},
               {"no emit, off", KAIZEN_EXEC_NO_EMIT, false, false},
               {"no emit, on", KAIZEN_EXEC_NO_EMIT, true, false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    limits.emit_default = cases[i].by_default;
    in.flags = cases[i].flags;
    cr_expect_eq(from_struct(), 0, "%s", cases[i].name);
    cr_expect_eq(execution.marked, cases[i].marked, "%s", cases[i].name);
    cr_expect_eq(execution_from_json(&execution, text("{\"agent\":\"a\",\"success\":true}"),
                                     cases[i].flags, &limits, &error),
                 0, "%s", cases[i].name);
    cr_expect_eq(execution.marked, cases[i].marked, "JSON, %s", cases[i].name);
  }
}

Test(execution, a_marked_line_ends_with_its_event) {
  struct buffer out = {0};
  struct event_numbers numbers = {2.0 / 3, 0.82, 3};
  cr_assert_eq(from_struct(), 0);
  execution_append_line(&execution, "8d5a0f3e-6f5b-4c1e-9d0a-3c6f7b2e4a91", text("my \"shop\""),
                        &numbers, &out);
  cr_assert(
      span_is(buffer_span(&out),
              "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"success\":true,"
              "\"event_id\":\"8d5a0f3e-6f5b-4c1e-9d0a-3c6f7b2e4a91\",\"event\":{\"project\":\"my "
              "\\\"shop\\\"\","
              "\"success_rate\":0.6666666666666666,\"execution_count\":3,\"avg_quality\":0.82}}\n"),
      "%.*s", (int)out.len, out.data);
  buffer_fini(&out);
}

Test(execution, unknown_low_flag_bits_are_unsupported_and_high_ones_ignored) {
  for (unsigned bit = 0; bit < 32; bit++) {
    in.flags = 1u << bit;
    in.primary_name = bit == 2 ? nts("n") : (struct kaizen_str){0};
    int result = from_struct();
    if (bit >= 9 && bit < 16) {
      cr_expect_eq(result, -1, "bit %u", bit);
      cr_expect_eq(error.code, KAIZEN_E_UNSUPPORTED, "bit %u", bit);
    } else if (bit != 3) { /* a target alone is refused for another reason */
      cr_expect_eq(result, 0, "bit %u: %s", bit, error.text);
    }
    result = execution_from_json(&execution, text("{\"agent\":\"a\",\"success\":true}"), 1u << bit,
                                 &limits, &error);
    cr_expect_eq(result, bit >= 16 || (bit >= 4 && bit < 9) ? 0 : -1, "JSON, bit %u", bit);
  }
}

/* Keys. */

Test(execution, a_key_in_metadata_is_a_key) {
  in.metadata_json = nts("{\"idempotency_key\": \"in \\u006deta\"}");
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  cr_assert(span_is(buffer_span(&execution.key), "in meta"));
  must_be_line(
      "metadata",
      "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"success\":true,"
      "\"metadata\":{\"idempotency_key\":\"in \\u006deta\"},\"idempotency_key\":\"in meta\"}");
  in.idempotency_key = nts("top");
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  cr_assert(span_is(buffer_span(&execution.key), "top"));
  cr_assert_eq(from_json("{\"agent\":\"a\",\"success\":true,\"idempotency_key\":null,\"metadata\":"
                         "{\"n\":{\"idempotency_key\":\"deeper\"},\"idempotency_key\":\"m\"}}"),
               0, "%s", error.text);
  cr_assert(span_is(buffer_span(&execution.key), "m"));
}

Test(execution, keys_are_bounded_in_decoded_bytes) {
  char json[4096], key[EXECUTION_KEY_MAX * 6 + 1] = "";
  for (int i = 0; i < EXECUTION_KEY_MAX; i++)
    strcat(key, "\\u0041");
  snprintf(json, sizeof json, "{\"agent\":\"a\",\"success\":true,\"idempotency_key\":\"%s\"}", key);
  cr_assert_eq(from_json(json), 0, "%s", error.text);
  cr_assert_eq(execution.key.len, EXECUTION_KEY_MAX);
  snprintf(json, sizeof json, "{\"agent\":\"a\",\"success\":true,\"idempotency_key\":\"%sB\"}",
           key);
  must_be_refused("one byte more", from_json(json),
                  "idempotency_key has 513 bytes; at most 512 are allowed");
}

Test(execution, keys_that_name_nothing_are_refused) {
  in.idempotency_key = nts("");
  must_be_refused("empty", from_struct(), "idempotency_key is empty; leave it out or give a key");
  in.idempotency_key = (struct kaizen_str){0};
  in.metadata_json = nts("{\"idempotency_key\": \"\"}");
  must_be_refused("empty in metadata", from_struct(),
                  "metadata.idempotency_key is empty; leave it out or give a key");
  in.metadata_json = nts("{\"idempotency_key\": 7}");
  must_be_refused("number in metadata", from_struct(),
                  "metadata.idempotency_key is not a string; write the key in quotes");
  in.metadata_json = nts("{\"idempotency_key\": null}");
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  cr_assert_eq(execution.key.len, 0);
}

/* Times. */

Test(execution, timestamps_outside_what_is_kept_are_refused) {
  limits.oldest_s = NOW_S - 100;
  in.timestamp_unix_ns = (NOW_S - 100) * 1000000000;
  cr_expect_eq(from_struct(), 0, "%s", error.text);
  in.timestamp_unix_ns -= 1;
  must_be_refused(
      "a moment too old", from_struct(),
      "timestamp 2026-03-04T05:04:26Z is older than retention_days keeps; the oldest accepted is "
      "2026-03-04T05:04:27Z");
  in.timestamp_unix_ns = -1;
  must_be_refused("before 1970", from_struct(),
                  "timestamp_unix_ns is before 1970; give 0 for the present time");
}

Test(execution, a_wrong_clock_refuses_nothing) {
  static const int64_t clocks[] = {INT64_MIN,        -1,       0, NOW_S, INT64_C(4102444800),
                                   INT64_C(1) << 40, INT64_MAX};
  limits.oldest_s = NOW_S;
  for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
    limits.now_s = clocks[i];
    cr_expect_eq(from_struct(), 0, "clock %lld: %s", (long long)clocks[i], error.text);
  }
}

/* Sizes. */

Test(execution, the_size_of_the_record_is_bounded_exactly) {
  cr_assert_eq(from_struct(), 0);
  limits.max_record_bytes = execution.line.len + 1;
  cr_expect_eq(from_struct(), 0, "%s", error.text);
  limits.max_record_bytes--;
  must_be_refused("a byte too long", from_struct(),
                  "the record has 67 bytes; max_record_bytes allows 66: shorten its metadata");
}

Test(execution, huge_inputs_are_refused_at_once) {
  size_t len = 16 << 20;
  char *huge = malloc(len);
  memset(huge, 'x', len);
  in.session_id = (struct kaizen_str){huge, len};
  must_be_refused(
      "session", from_struct(),
      "session_id has 16777216 bytes; this max_record_bytes allows at most 65536: shorten it");
  in.session_id = (struct kaizen_str){0};
  in.metadata_json = (struct kaizen_str){huge, len};
  must_be_refused("metadata", from_struct(),
                  "metadata_json has 16777216 bytes; this max_record_bytes allows at most 524288: "
                  "shorten it");
  cr_expect_eq(execution_from_json(&execution, (struct span){huge, len}, 0, &limits, &error), -1);
  in.metadata_json = (struct kaizen_str){0};
  in.agent = (struct kaizen_str){huge, 65536};
  cr_expect_eq(from_struct(), -1);
  cr_expect(strstr(error.text, "has 65536 characters; at most 64"), "%s", error.text);
  free(huge);
}

static void nested(struct buffer *out, unsigned depth) {
  buffer_clear(out);
  buffer_append_text(out, "{\"a\":");
  for (unsigned i = 1; i < depth; i++)
    buffer_append_byte(out, '[');
  for (unsigned i = 1; i < depth; i++)
    buffer_append_byte(out, ']');
  buffer_append_text(out, depth > 1 ? "}" : "1}");
}

/* The record is the outermost object, metadata stands in it. */
Test(execution, depth_is_counted_over_the_whole_record) {
  struct buffer out = {0};
  for (unsigned depth = 30; depth <= 33; depth++) {
    char json[256];
    nested(&out, depth);
    in.metadata_json = (struct kaizen_str){out.data, out.len};
    cr_expect_eq(from_struct(), depth <= 31 ? 0 : -1, "metadata of depth %u: %s", depth,
                 error.text);
    snprintf(json, sizeof json, "{\"agent\":\"a\",\"success\":true,\"metadata\":%.*s}",
             (int)out.len, out.data);
    cr_expect_eq(from_json(json), depth <= 31 ? 0 : -1, "record with metadata of depth %u: %s",
                 depth, error.text);
  }
  buffer_fini(&out);
}

/* Refusals. */

Test(execution, numbers_of_the_struct_are_checked) {
  static const struct {
    const char *name;
    uint32_t flags;
    double time, quality, value, target;
    const char *message;
  } cases[] = {
      {"negative time", KAIZEN_EXEC_HAS_TIME, -0.5, 0, 0, 0,
       "execution_time_s is -0.5; a number of seconds, 0 or more, is needed"},
      {"infinite time", KAIZEN_EXEC_HAS_TIME, INFINITY, 0, 0, 0,
       "execution_time_s is Infinity; a number of seconds, 0 or more, is needed"},
      {"time that is not a number", KAIZEN_EXEC_HAS_TIME, NAN, 0, 0, 0,
       "execution_time_s is NaN; a number of seconds, 0 or more, is needed"},
      {"quality above 1", KAIZEN_EXEC_HAS_QUALITY, 0, 1.2, 0, 0,
       "quality_score is 1.2; a number from 0 to 1 is needed"},
      {"quality below 0", KAIZEN_EXEC_HAS_QUALITY, 0, -1e-9, 0, 0,
       "quality_score is -1e-09; a number from 0 to 1 is needed"},
      {"quality in percent", KAIZEN_EXEC_HAS_QUALITY, 0, 85, 0, 0,
       "quality_score is 85.0; a number from 0 to 1 is needed"},
      {"infinite value", KAIZEN_EXEC_HAS_PRIMARY, 0, 0, -INFINITY, 0,
       "primary_metric.value is -Infinity; a finite number is needed"},
      {"target that is not a number", KAIZEN_EXEC_HAS_PRIMARY | KAIZEN_EXEC_HAS_TARGET, 0, 0, 1,
       NAN, "primary_metric.target is NaN; a finite number is needed"},
      {"time without its flag", 0, 3, 0, 0, 0,
       "execution_time_s is given without its flag; set KAIZEN_EXEC_HAS_TIME or leave it 0"},
      {"quality without its flag", 0, 0, NAN, 0, 0,
       "quality_score is given without its flag; set KAIZEN_EXEC_HAS_QUALITY or leave it 0"},
      {"target without its flag", KAIZEN_EXEC_HAS_PRIMARY, 0, 0, 1, 2,
       "primary_target is given without its flag; set KAIZEN_EXEC_HAS_TARGET or leave it 0"},
      {"target without a value", KAIZEN_EXEC_HAS_TARGET, 0, 0, 0, 2,
       "primary_target is given without primary_value; give both"},
      {"both ways of emission", KAIZEN_EXEC_EMIT | KAIZEN_EXEC_NO_EMIT, 0, 0, 0, 0,
       "EMIT and NO_EMIT are both set; set one of them or neither"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    in.flags = cases[i].flags;
    in.primary_name = in.flags & KAIZEN_EXEC_HAS_PRIMARY ? nts("n") : (struct kaizen_str){0};
    in.execution_time_s = cases[i].time;
    in.quality_score = cases[i].quality;
    in.primary_value = cases[i].value;
    in.primary_target = cases[i].target;
    must_be_refused(cases[i].name, from_struct(), cases[i].message);
  }
}

Test(execution, negative_zero_is_zero) {
  in.execution_time_s = in.quality_score = in.primary_value = in.primary_target = -0.0;
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  in.flags = KAIZEN_EXEC_HAS_TIME | KAIZEN_EXEC_HAS_QUALITY;
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  must_be_line(
      "with flags",
      "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"execution_time_s\":0.0,"
      "\"success\":true,\"quality_score\":0.0}");
}

Test(execution, a_metric_needs_its_name) {
  in.flags = KAIZEN_EXEC_HAS_PRIMARY;
  must_be_refused("no name", from_struct(), "primary_metric has no name; give one");
  in.primary_name = nts("");
  must_be_refused("empty name", from_struct(), "primary_metric has no name; give one");
  in.flags = 0;
  in.primary_name = nts("n");
  must_be_refused("name alone", from_struct(),
                  "primary_name is given without its value; set KAIZEN_EXEC_HAS_PRIMARY");
}

Test(execution, an_outcome_that_was_not_set_is_refused) {
  in.outcome = 0;
  must_be_refused("zero", from_struct(),
                  "outcome is 0 (forgotten); set KAIZEN_SUCCESS or KAIZEN_FAILURE");
  in.outcome = 3;
  must_be_refused("three", from_struct(), "outcome is 3; set KAIZEN_SUCCESS or KAIZEN_FAILURE");
}

Test(execution, a_length_without_a_pointer_is_refused) {
  struct kaizen_str *strings[] = {&in.agent,        &in.idempotency_key, &in.session_id,
                                  &in.primary_name, &in.metadata_json,   &in.extra_json};
  for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
    struct kaizen_str kept = *strings[i];
    *strings[i] = (struct kaizen_str){NULL, i % 2 ? 3 : KAIZEN_NTS};
    cr_expect_eq(from_struct(), -1, "string %zu", i);
    cr_expect(strstr(error.text, "has a length but its pointer is NULL"), "string %zu: %s", i,
              error.text);
    *strings[i] = kept;
  }
}

Test(execution, strings_must_be_utf8) {
  in.session_id = nts("s\xFFx");
  must_be_refused("session", from_struct(), "session_id \"s\\xffx\" is not UTF-8; convert it");
  in.session_id = (struct kaizen_str){0};
  in.idempotency_key = nts("\xED\xA0\x80");
  must_be_refused("key", from_struct(),
                  "idempotency_key \"\\xed\\xa0\\x80\" is not UTF-8; convert it");
  in.idempotency_key = (struct kaizen_str){0};
  in.primary_name = nts("\xC0\x80");
  in.flags = KAIZEN_EXEC_HAS_PRIMARY;
  must_be_refused("metric", from_struct(),
                  "primary_metric.name \"\\xc0\\x80\" is not UTF-8; convert it");
}

Test(execution, json_texts_of_the_struct_are_checked) {
  static const struct {
    const char *metadata, *extra, *message;
  } cases[] = {
      {"[]", NULL, "metadata_json is not a JSON object; give {...}"},
      {"", NULL,
       "metadata_json is not valid JSON: byte 0: the text ends where a value is expected"},
      {"{\"a\":1.}", NULL,
       "metadata_json is not valid JSON: byte 7: a number needs a digit after its decimal point"},
      {"{\"a\":1,\"a\":2}", NULL,
       "metadata_json is not valid JSON: byte 7: a name appears twice in one object"},
      {"{\"a\":Infinity}", NULL,
       "metadata_json is not valid JSON: byte 5: NaN and Infinity are not JSON numbers; leave the "
       "field out"},
      {"{\"a\":1e999}", NULL,
       "metadata_json is not valid JSON: byte 5: the number is too large for a double; give a "
       "finite one"},
      {"{\"a\":\"\\ud800\"}", NULL,
       "metadata_json is not valid JSON: byte 6: half a surrogate pair is not a character"},
      {"{\"a\":\"\xFF\"}", NULL, "metadata_json is not valid JSON: byte 6: not UTF-8"},
      {NULL, "7", "extra_json is not a JSON object; give {...}"},
      {NULL, "{\"rep\":\"x\"}",
       "extra_json has no key \"rep\"; did you mean \"repo\"? Your own fields belong in metadata, "
       "or "
       "must begin with x_"},
      {NULL, "{\"agent\":\"x\"}",
       "extra_json has no key \"agent\"; did you mean \"repo\"? Your own fields belong in "
       "metadata, "
       "or must begin with x_"},
      {NULL, "{\"tokens\":-1}", "tokens is a number (-1); a whole number, 0 or more, is needed"},
      {NULL, "{\"tokens\":1.0}", "tokens is a number (1.0); a whole number, 0 or more, is needed"},
      {NULL, "{\"tokens\":9223372036854775808}",
       "tokens is a number (9223372036854775808); a whole number, 0 or more, is needed"},
      {NULL, "{\"repo\":5}", "repo is a number (5); a string is needed"},
      {NULL, "{\"infra_overhead_share\":\"0.1\"}",
       "infra_overhead_share is a string (\"0.1\"); a number is needed"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    in.metadata_json = cases[i].metadata ? nts(cases[i].metadata) : (struct kaizen_str){0};
    in.extra_json = cases[i].extra ? nts(cases[i].extra) : (struct kaizen_str){0};
    must_be_refused(cases[i].message, from_struct(), cases[i].message);
  }
}

Test(execution, json_records_are_checked) {
  static const struct {
    const char *members, *message;
  } cases[] = {
      {"\"success\":true", "agent is missing; name the agent that ran"},
      {"\"agent\":null,\"success\":true", "agent is missing; name the agent that ran"},
      {"\"agent\":7,\"success\":true", "agent is a number (7); a string is needed"},
      {"\"agent\":\"a\"", "success is missing; true or false is needed"},
      {"\"agent\":\"a\",\"success\":null", "success is null; true or false is needed"},
      {"\"agent\":\"a\",\"success\":\"true\"",
       "success is a string (\"true\"); true or false is needed"},
      {"\"agent\":\"a\",\"success\":1", "success is a number (1); true or false is needed"},
      {"\"agent\":\"a\",\"sucess\":true", "a record has no key \"sucess\"; did you mean "
                                          "\"success\"? Your own fields belong in metadata, "
                                          "or must begin with x_"},
      {"\"agent\":\"a\",\"success\":true,\"quality_score\":\"0.9\"",
       "quality_score is a string (\"0.9\"); a number from 0 to 1 is needed"},
      {"\"agent\":\"a\",\"success\":true,\"quality_score\":85",
       "quality_score is 85.0; a number from 0 to 1 is needed"},
      {"\"agent\":\"a\",\"success\":true,\"execution_time_s\":-1",
       "execution_time_s is -1.0; a number of seconds, 0 or more, is needed"},
      {"\"agent\":\"a\",\"success\":true,\"execution_time_s\":[1]",
       "execution_time_s is an array ([1]); a number is needed"},
      {"\"agent\":\"a\",\"success\":true,\"timestamp\":5",
       "timestamp is a number (5); a string is needed"},
      {"\"agent\":\"a\",\"success\":true,\"timestamp\":\"2026-03-04T05:06:07\"",
       "timestamp \"2026-03-04T05:06:07\" is not an ISO 8601 time with Z or an offset, years 1970 "
       "to "
       "9999"},
      {"\"agent\":\"a\",\"success\":true,\"metadata\":[]",
       "metadata is an array ([]); an object is needed"},
      {"\"agent\":\"a\",\"success\":true,\"primary_metric\":5",
       "primary_metric is a number (5); an object {name, value, target} is needed"},
      {"\"agent\":\"a\",\"success\":true,\"primary_metric\":{\"name\":\"n\"}",
       "primary_metric.value is missing; a number is needed"},
      {"\"agent\":\"a\",\"success\":true,\"primary_metric\":{\"value\":1}",
       "primary_metric.name is missing; a string is needed"},
      {"\"agent\":\"a\",\"success\":true,\"primary_metric\":{\"name\":\"\",\"value\":1}",
       "primary_metric has no name; give one"},
      {"\"agent\":\"a\",\"success\":true,\"primary_metric\":{\"name\":\"n\",\"value\":1,\"unit\":"
       "\"s\"}",
       "primary_metric has no key \"unit\"; did you mean \"name\"? Your own fields belong in "
       "metadata"},
      {"\"agent\":\"a\",\"success\":true,\"idempotency_key\":[]",
       "idempotency_key is an array ([]); a string is needed"},
      {"\"agent\":\"a\",\"success\":true,\"success\":true",
       "the record is not valid JSON: byte 28: a name appears twice in one object"},
      {"\"agent\":\"a\",\"success\":true,\"n\\u0061me\\n\":1",
       "a record has no key \"n\\u0061me\\n\"; did you mean \"agent\"? Your own fields belong in "
       "metadata, or must begin with x_"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char json[512];
    snprintf(json, sizeof json, "{%s}", cases[i].members);
    must_be_refused(cases[i].members, from_json(json), cases[i].message);
  }
  must_be_refused("array", from_json("[]"), "the record is not a JSON object; give {...}");
}

Test(execution, no_refusal_is_too_long_for_a_receipt) {
  char json[2048], value[1024];
  memset(value, '\x7F', sizeof value);
  value[sizeof value - 1] = '\0';
  static const char *const forms[] = {
      "{\"%s\":1}",
      "{\"agent\":\"%s\",\"success\":true}",
      "{\"agent\":\"a\",\"success\":true,\"timestamp\":\"%s\"}",
      "{\"agent\":\"a\",\"success\":\"%s\"}",
      "{\"agent\":\"a\",\"success\":true,\"primary_metric\":\"%s\"}",
      "{\"agent\":\"a\",\"success\":true,\"primary_metric\":{\"%s\":1}}"};
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(json, sizeof json, forms[i], value);
#pragma GCC diagnostic pop
    cr_expect_eq(from_json(json), -1, "%s", forms[i]);
    cr_expect_lt(strlen(error.text), sizeof((struct kaizen_receipt *)0)->reason, "%s: %s", forms[i],
                 error.text);
    cr_expect(utf8_valid(text(error.text)), "%s", forms[i]);
  }
}

/* Agents. */

Test(execution, agent_names_follow_the_grammar) {
  static const char *const legal[] = {
      "a",    "Z",           "0",
      "_",    "a-b",         "a.b",
      "a..b", "coach_2.x-y", "Optimizer",
      "a-",   "_.a",         "0123456789012345678901234567890123456789012345678901234567890123"};
  for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++)
    cr_expect_eq(agent_name_check(text(legal[i]), &error), 0, "%s: %s", legal[i], error.text);
  static const struct {
    const char *agent, *message;
  } illegal[] = {
      {"", "agent is empty; name the agent that ran"},
      {"..", "agent \"..\" starts with \".\"; start it with a letter, a digit or _"},
      {".hidden", "agent \".hidden\" starts with \".\"; start it with a letter, a digit or _"},
      {"-a", "agent \"-a\" starts with \"-\"; start it with a letter, a digit or _"},
      {"a.", "agent \"a.\" ends with a dot; remove the dot"},
      {"a b", "agent \"a b\" has the character \" \"; only letters, digits, _ - and . are allowed"},
      {"a/b", "agent \"a/b\" has the character \"/\"; only letters, digits, _ - and . are allowed"},
      {"a*", "agent \"a*\" has the character \"*\"; only letters, digits, _ - and . are allowed"},
      {"a>", "agent \"a>\" has the character \">\"; only letters, digits, _ - and . are allowed"},
      {"caf\xC3\xA9", "agent \"caf\xC3\xA9\" has the character \"\xC3\xA9\"; only letters, digits, "
                      "_ - and . are allowed"},
      {"a\n",
       "agent \"a\\x0a\" has the character \"\\x0a\"; only letters, digits, _ - and . are allowed"},
      {"a\xFF",
       "agent \"a\\xff\" has the character \"\\xff\"; only letters, digits, _ - and . are allowed"},
      {"optimizer", "agent \"optimizer\" is a reserved name; choose another"},
      {"01234567890123456789012345678901234567890123456789012345678901234",
       "agent \"012345678901234567890123456789012345678901234567890123456789...\" has 65 "
       "characters; at most 64 are "
       "allowed"},
  };
  for (size_t i = 0; i < sizeof illegal / sizeof illegal[0]; i++)
    must_be_refused(illegal[i].agent, agent_name_check(text(illegal[i].agent), &error),
                    illegal[i].message);
  must_be_refused(
      "NUL", agent_name_check((struct span){"a\0b", 3}, &error),
      "agent \"a\\x00b\" has the character \"\\x00\"; only letters, digits, _ - and . are allowed");
  must_be_refused("none", agent_name_check((struct span){NULL, 0}, &error),
                  "agent is missing; name the agent that ran");
}

Test(execution, any_name_maps_to_a_legal_one_that_tells_it_apart) {
  static const char *const names[] = {
      "Triage Agent",
      "triage agent",
      "triage-agent ",
      "pr-review-toolkit:code-reviewer",
      "../../etc/passwd",
      ".",
      "...",
      "-",
      "\xE4\xBD\xA0\xE5\xA5\xBD",
      "optimizer",
      "a.",
      "a/",
      " leading",
      "x                                                        y!",
      "A name of rather more than sixty-four characters, as people like to give them"};
  char seen[sizeof names / sizeof names[0]][AGENT_NAME_MAX + 1];
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    cr_expect_eq(agent_name_map(text(names[i]), seen[i], NULL), 1, "%s", names[i]);
    cr_expect_eq(agent_name_check(text(seen[i]), &error), 0, "%s -> %s: %s", names[i], seen[i],
                 error.text);
    for (size_t j = 0; j < i; j++)
      cr_expect_str_neq(seen[i], seen[j], "%s and %s", names[i], names[j]);
  }
}

/* The mapping is shared by adapters everywhere: these results never change. */
Test(execution, the_mapping_is_what_it_always_was) {
  static const struct {
    const char *name, *mapped;
  } cases[] = {{"Triage Agent", "triage-agent-e5c53b"},
               {"pr-review-toolkit:code-reviewer", "pr-review-toolkit-code-reviewer-e019e6"},
               {"optimizer", "optimizer-631e7a"},
               {"\xE4\xBD\xA0\xE5\xA5\xBD", "agent-f15652"}};
  char out[AGENT_NAME_MAX + 1];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    agent_name_map(text(cases[i].name), out, NULL);
    cr_expect_str_eq(out, cases[i].mapped, "%s -> %s", cases[i].name, out);
  }
  cr_expect_eq(agent_name_map(text("Already.Legal"), out, NULL), 0);
  cr_expect_str_eq(out, "Already.Legal");
  cr_expect_eq(agent_name_map(text(""), out, NULL), -1);
  cr_expect_eq(agent_name_map(text("\xFF"), out, NULL), -1);
  cr_expect_str_eq(out, "");
}

/* Keys that are not ours, and the lines of other logs. */

static int from_log(const char *json) {
  error = (struct error){0};
  return execution_from_json(&execution, text(json), KAIZEN_EXEC_KEEP_UNKNOWN, &limits, &error);
}

#define BEGINNING "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"a\",\"success\":true"

Test(execution, keys_that_begin_with_x_are_anybodys) {
  cr_assert_eq(from_json("{\"x_ticket\": \"A-1\",\"agent\":\"a\",\"x_n\":1.50,\"success\":true,"
                         "\"metadata\":{},\"x_b\":false,\"repo\":\"r\"}"),
               0, "%s", error.text);
  must_be_line("JSON", BEGINNING ",\"metadata\":{},\"x_ticket\":\"A-1\",\"x_n\":1.50,\"x_b\":false,"
                                 "\"repo\":\"r\"}");
  in.extra_json = nts("{\"x_ticket\":\"A-1\"}");
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  must_be_line("struct", "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\","
                         "\"success\":true,\"x_ticket\":\"A-1\"}");
  must_be_refused("an object", from_json("{\"agent\":\"a\",\"success\":true,\"x_o\":{}}"),
                  "x_o is not a string, number or boolean; put it into metadata");
  must_be_refused("x_ alone", from_json("{\"agent\":\"a\",\"success\":true,\"x_\":1}"),
                  "a record has no key \"x_\"; did you mean \"repo\"? Your own fields belong in "
                  "metadata, or must begin with x_");
  cr_assert_eq(from_json("{\"agent\":\"a\",\"success\":true}"), 0);
  must_be_line("the next one", BEGINNING "}");
}

Test(execution, a_line_of_a_log_is_kept_as_it_is) {
  static const struct {
    const char *name, *given, *line;
    bool has_quality;
  } cases[] = {
      {"an unknown key", "\"reviewer\": [1, {}]", ",\"reviewer\":[1,{}]", false},
      {"another unit", "\"primary_metric\":{\"name\":\"t\",\"value\":1,\"unit\":\"s\"}",
       ",\"primary_metric\":{\"name\":\"t\",\"value\":1,\"unit\":\"s\"}", false},
      {"a quality above 1", "\"quality_score\":85", ",\"quality_score\":85.0", true},
      {"a quality in words", "\"quality_score\":\"0.9\"", ",\"quality_score\":\"0.9\"", false},
      {"no number at all", "\"quality_score\":NaN,\"k\":Infinity", "", false},
      {"tokens with a point", "\"tokens\":12.0", ",\"tokens\":12.0", false},
      {"a time before 0", "\"execution_time_s\":-1", ",\"execution_time_s\":-1.0", false},
      {"metadata that is a list", "\"metadata\":[1]", ",\"metadata\":[1]", false},
      {"an empty key", "\"idempotency_key\":\"\"", ",\"idempotency_key\":\"\"", false},
      {"a key in metadata that is a number", "\"metadata\":{\"idempotency_key\":7}",
       ",\"metadata\":{\"idempotency_key\":7}", false},
      {"a name that comes twice", "\"k\":1,\"k\":2", ",\"k\":2", false},
      {"null", "\"session_id\":null,\"k\":null", ",\"k\":null", false},
  };
  char json[300], line[300];

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    (void)snprintf(json, sizeof json, "{\"agent\":\"a\",\"success\":true,%s}", cases[i].given);
    (void)snprintf(line, sizeof line, BEGINNING "%s}", cases[i].line);
    cr_assert_eq(from_log(json), 0, "%s: %s", cases[i].name, error.text);
    if (strstr(cases[i].name, "before 0")) /* it stands before success */
      (void)snprintf(line, sizeof line,
                     "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"a\","
                     "\"execution_time_s\":-1.0,\"success\":true}");
    must_be_line(cases[i].name, line);
    cr_expect_eq(execution.has_quality, cases[i].has_quality, "%s", cases[i].name);
    cr_expect_eq(from_json(json), -1, "%s", cases[i].name);
  }
}

Test(execution, a_timestamp_that_cannot_be_read_is_kept_and_dates_nothing) {
  cr_assert_eq(from_log("{\"timestamp\":\"yesterday\",\"agent\":\"a\",\"success\":true}"), 0, "%s",
               error.text);
  cr_expect_eq(execution.timestamp_s, -1);
  must_be_line("line", "{\"agent\":\"a\",\"success\":true,\"timestamp\":\"yesterday\"}");
}

Test(execution, what_a_record_needs_is_needed_of_a_log_too) {
  must_be_refused("no agent", from_log("{\"success\":true}"),
                  "agent is missing; name the agent that ran");
  must_be_refused("no success", from_log("{\"agent\":\"a\",\"success\":1}"),
                  "success is a number (1); true or false is needed");
  cr_expect_eq(from_log("[]"), -1);
  cr_expect_eq(from_log("{\"agent\":\"a\",\"success\":true"), -1);
}

static bool in_line(const char *part) {
  return memmem(execution.line.data, execution.line.len, part, strlen(part)) != NULL;
}

Test(execution, a_foreign_name_is_mapped_when_that_is_wanted) {
  in.flags = KAIZEN_EXEC_MAP_AGENT;
  in.agent = nts("Triage Agent");
  in.metadata_json = nts("{\"a\": 1}");
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  cr_expect(strncmp(execution.agent, "triage-agent-", 13) == 0, "%s", execution.agent);
  cr_expect(in_line("\"metadata\":{\"a\":1,\"agent_name\":\"Triage Agent\"}"));
  in.metadata_json = (struct kaizen_str){0};
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  cr_expect(in_line("\"metadata\":{\"agent_name\":\"Triage Agent\"}"));
  in.metadata_json = nts("{\"agent_name\":\"told\"}");
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  cr_expect(in_line("\"metadata\":{\"agent_name\":\"told\"}"));
  in.agent = nts("coach");
  in.metadata_json = (struct kaizen_str){0};
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  cr_expect_not(in_line("metadata"));
  in.agent = (struct kaizen_str){0};
  must_be_refused("no name", from_struct(), "agent is missing or empty; name the agent that ran");
}

/* Ids of events from keys. */

/* Python: uuid.uuid5(uuid.UUID(NAMESPACE), "demo\0coach\0k") */
Test(event_id, a_key_always_makes_the_same_id) {
  char id[UUID_TEXT_SIZE];
  cr_assert_eq(event_id_from_key(text("demo"), text("coach"), text("k"), id), 0);
  cr_assert_str_eq(id, "67ea31ee-d5f1-5183-a196-3845223231ba");
}

Test(event_id, ids_from_keys_tell_project_agent_and_key_apart) {
  char a[UUID_TEXT_SIZE], b[UUID_TEXT_SIZE];
  event_id_from_key(text("p"), text("ab"), text("c"), a);
  event_id_from_key(text("p"), text("a"), text("bc"), b);
  cr_assert_str_neq(a, b);
  event_id_from_key(text("pa"), text("b"), text("c"), b);
  cr_assert_str_neq(a, b);
}
