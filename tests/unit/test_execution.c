/* test_execution.c - what the line of an execution says, and what its size and time may be.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "execution_scene.h"

TestSuite(execution, .init = set_up, .fini = tear_down);

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
  cr_assert_eq(
      from_json("{\"agent\":\"coach\",\"timestamp\":\"2026-03-04T05:06:07Z\","
                "\"success\":true,\"x_\\\\\x7F\xC2\x85\xE2\x80\xA8\\u00e9\" : \"\xC2\x85\"}"),
      0, "%s", error.text);
  must_be_line("a name that begins with x_",
               "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"success\":true,"
               "\"x_\\\\\\u007f\\u0085\\u2028\\u00e9\":\"\\u0085\"}");
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
