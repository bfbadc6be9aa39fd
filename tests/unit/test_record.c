/* test_record.c - what counts as a record in a line somebody else wrote, and what is read from it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/record.h"

#define MARK "\"event_id\":\"8D5A0F3E-6f5b-4c1e-9d0a-3c6f7b2e4a91\",\"event\":{\"project\":\"p\"}"

static struct record record;
static const char *why;

static struct span text(const char *bytes) {
  return (struct span){bytes, strlen(bytes)};
}

/* A line with these members after agent and success. */
static enum record_kind read_with(const char *members) {
  static char line[4096];
  snprintf(line, sizeof line, "{\"agent\":\"coach\",\"success\":true%s%s}", *members ? "," : "",
           members);
  why = NULL;
  return record_read(text(line), &record, &why);
}

static enum record_kind read_line(const char *line) {
  why = NULL;
  return record_read(text(line), &record, &why);
}

static bool key_is(const char *key) {
  struct buffer out = {0};
  bool is = record_key(&record, &out) && span_is(buffer_span(&out), key);
  buffer_fini(&out);
  return is;
}

Test(record, a_line_of_ours_is_read_whole) {
  cr_assert_eq(
      read_line(
          "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"execution_time_s\":12.5,"
          "\"success\":false,\"quality_score\":0.81,\"idempotency_key\":\"k\\u00e9\"," MARK "}"),
      RECORD_OK);
  cr_assert_eq(record.timestamp_s, 1772600767);
  cr_assert(span_is(record.agent, "coach"));
  cr_assert_not(record.success);
  cr_assert(record.has_time && record.has_quality && record.marked);
  cr_assert_eq(record.execution_time_s, 12.5);
  cr_assert_eq(record.quality_score, 0.81);
  cr_assert(key_is("k\xC3\xA9"));
  cr_assert_str_eq(record.event_id, "8d5a0f3e-6f5b-4c1e-9d0a-3c6f7b2e4a91");
  cr_assert(span_is(record.event.raw, "{\"project\":\"p\"}"));
}

Test(record, agent_and_success_are_all_it_takes) {
  cr_assert_eq(read_line(" {\"success\" : true , \"agent\" : \"\\u00e9 any / text\"}\r"),
               RECORD_OK);
  cr_assert_eq(record.timestamp_s, -1);
  cr_assert(record.success);
  cr_assert(span_is(record.agent, "\\u00e9 any / text"));
  cr_assert_not(record.has_time || record.has_quality || record.marked);
  cr_assert_null(record.key.raw.ptr);
  cr_assert_str_eq(record.event_id, "");
}

Test(record, blank_lines_are_neither_records_nor_garbage) {
  cr_assert_eq(read_line(""), RECORD_BLANK);
  cr_assert_eq(read_line(" \t\r"), RECORD_BLANK);
  cr_assert_eq(record_read((struct span){NULL, 0}, &record, NULL), RECORD_BLANK);
}

Test(record, garbage_says_why) {
  static const struct {
    const char *line, *why;
  } cases[] = {{"{\"agent\":\"a\",\"success\":tr", "a value is expected here"},
               {"{\"agent\":\"a\"}{\"agent\"", "there is more text after the value's end"},
               {"[1]", "not a JSON object"},
               {"null", "not a JSON object"},
               {"garbage", "a value is expected here"},
               {"{\"success\":true}", "agent is not a string"},
               {"{\"agent\":7,\"success\":true}", "agent is not a string"},
               {"{\"agent\":null,\"success\":true}", "agent is not a string"},
               {"{\"agent\":\"a\"}", "success is not true or false"},
               {"{\"agent\":\"a\",\"success\":1}", "success is not true or false"},
               {"{\"agent\":\"a\",\"success\":\"true\"}", "success is not true or false"},
               {"{\"agent\":\"a\",\"success\":null}", "success is not true or false"},
               {"{\"agent\":\"a\xFF\",\"success\":true}", "not UTF-8"},
               {"\xEF\xBB\xBF{\"agent\":\"a\",\"success\":true}", "a value is expected here"},
               {"{\"agent\":\"a\",\"success\":true,\"x\":\"\x01\"}",
                "a control character in a string must be written as an escape"},
               {"{'agent':'a','success':true}", "a name in double quotes is expected here"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_expect_eq(read_line(cases[i].line), RECORD_GARBAGE, "%s", cases[i].line);
    cr_expect_str_eq(why, cases[i].why, "%s: %s", cases[i].line, why);
    cr_expect_eq(record_read(text(cases[i].line), &record, NULL), RECORD_GARBAGE, "%s",
                 cases[i].line);
  }
}

Test(record, a_run_of_nul_bytes_is_garbage) {
  static const char zeros[512];
  cr_assert_eq(record_read((struct span){zeros, sizeof zeros}, &record, &why), RECORD_GARBAGE);
}

Test(record, hostile_depth_is_garbage_and_moderate_depth_is_not) {
  struct buffer line = {0};
  buffer_append_text(&line, "{\"agent\":\"a\",\"success\":true,\"x\":");
  size_t head = line.len;
  for (int i = 0; i < 100000; i++)
    buffer_append_byte(&line, '[');
  cr_assert_eq(record_read(buffer_span(&line), &record, &why), RECORD_GARBAGE);
  line.len = head + 500;
  for (int i = 0; i < 500; i++)
    buffer_append_byte(&line, ']');
  buffer_append_byte(&line, '}');
  cr_assert_eq(record_read(buffer_span(&line), &record, &why), RECORD_OK, "%s", why);
  buffer_fini(&line);
}

Test(record, unknown_fields_and_foreign_dialect_are_no_obstacle) {
  cr_assert_eq(
      read_with(
          "\"x\":NaN,\"y\":[-Infinity,{\"a\":1,\"a\":2}],\"z\":\"\\ud800\",\"session_id\":null"),
      RECORD_OK);
}

Test(record, the_last_of_equal_names_wins) {
  cr_assert_eq(
      read_with(
          "\"success\":false,\"quality_score\":0.1,\"quality_score\":0.2,\"\\u0061gent\":\"b\""),
      RECORD_OK);
  cr_assert_not(record.success);
  cr_assert_eq(record.quality_score, 0.2);
  cr_assert(span_is(record.agent, "b"));
  cr_assert_eq(read_with("\"quality_score\":0.1,\"quality_score\":null"), RECORD_OK);
  cr_assert_not(record.has_quality);
  cr_assert_eq(read_with("\"success\":7"), RECORD_GARBAGE);
}

Test(record, only_a_finite_number_is_a_value_of_any_range) {
  static const struct {
    const char *value;
    bool has;
    double number;
  } cases[] = {{"0.9", true, 0.9},     {"85", true, 85},       {"-3", true, -3},
               {"1e308", true, 1e308}, {"0", true, 0},         {"null", false, 0},
               {"NaN", false, 0},      {"Infinity", false, 0}, {"1e999", false, 0},
               {"\"0.9\"", false, 0},  {"true", false, 0},     {"[1]", false, 0},
               {"{}", false, 0},       {"-Infinity", false, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char members[128];
    snprintf(members, sizeof members, "\"quality_score\":%s,\"execution_time_s\":%s",
             cases[i].value, cases[i].value);
    cr_expect_eq(read_with(members), RECORD_OK, "%s", cases[i].value);
    cr_expect_eq(record.has_quality, cases[i].has, "%s", cases[i].value);
    cr_expect_eq(record.has_time, cases[i].has, "%s", cases[i].value);
    cr_expect_eq(record.quality_score, cases[i].number, "%s", cases[i].value);
    cr_expect_eq(record.execution_time_s, cases[i].number, "%s", cases[i].value);
  }
}

Test(record, unreadable_timestamps_leave_the_record_a_record) {
  static const struct {
    const char *value;
    int64_t seconds;
  } cases[] = {{"\"2026-03-04T05:06:07Z\"", 1772600767},
               {"\"2026-03-04T06:06:07.5+01:00\"", 1772600767},
               {"\"2026-03-04T05:06:07\\u005a\"", 1772600767},
               {"\"2026-03-04T05:06:07\"", -1},
               {"\"\"", -1},
               {"1772600767", -1},
               {"null", -1},
               {"\"\\u0032\\u0030\\u0032\\u0036 and very much more text than a time ever needs, on "
                "and on and on\"",
                -1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char members[256];
    snprintf(members, sizeof members, "\"timestamp\":%s", cases[i].value);
    cr_expect_eq(read_with(members), RECORD_OK, "%s", cases[i].value);
    cr_expect_eq(record.timestamp_s, cases[i].seconds, "%s", cases[i].value);
  }
}

Test(record, a_key_stands_at_the_top_or_in_metadata) {
  static const struct {
    const char *members, *key;
  } cases[] = {
      {"\"idempotency_key\":\"t\"", "t"},
      {"\"metadata\":{\"a\":[{\"idempotency_key\":\"no\"}],\"idempotency_key\":\"m\"}", "m"},
      {"\"metadata\":{\"idempotency_key\":\"m\"},\"idempotency_key\":\"t\"", "t"},
      {"\"metadata\":{\"idempotency_key\":\"m\"},\"idempotency_key\":null", "m"},
      {"\"metadata\":{\"idempotency_key\":\"m\"},\"idempotency_key\":7", "m"},
      {"\"metadata\":{\"idempotency_key\":\"m\"},\"idempotency_key\":\"\"", "m"},
      {"\"metadata\":{\"idempotency_key\":\"1\",\"idempotency_\\u006bey\":\"2\"}", "2"},
      {"\"metadata\":{\"idempotency_key\":\"1\"},\"metadata\":{}", NULL},
      {"\"metadata\":{\"idempotency_key\":7}", NULL},
      {"\"metadata\":[\"idempotency_key\"]", NULL},
      {"\"idempotency_key\":\"\"", NULL},
      {"\"idempotency_key\":\"a\\u0000\\n\"", "a"},
      {"", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct buffer out = {0};
    buffer_append_text(&out, "left from before");
    cr_expect_eq(read_with(cases[i].members), RECORD_OK, "%s", cases[i].members);
    bool has = record_key(&record, &out);
    cr_expect_eq(has, cases[i].key != NULL, "%s", cases[i].members);
    buffer_append_byte(&out, '\0');
    cr_expect_str_eq(out.data, cases[i].key ? cases[i].key : "", "%s: %s", cases[i].members,
                     out.data);
    buffer_fini(&out);
  }
}

Test(record, only_a_valid_id_beside_an_event_object_marks) {
  static const struct {
    const char *members;
    bool marked;
  } cases[] = {{MARK, true},
               {"\"event\":{},\"event_id\":\"\\u0038d5a0f3e-6f5b-4c1e-9d0a-3c6f7b2e4a91\"", true},
               {"\"event_id\":\"8d5a0f3e-6f5b-4c1e-9d0a-3c6f7b2e4a91\"", false},
               {"\"event\":{}", false},
               {"\"event_id\":\"8d5a0f3e-6f5b-4c1e-9d0a-3c6f7b2e4a9\",\"event\":{}", false},
               {"\"event_id\":\"8d5a0f3e-6f5b-4c1e-9d0a-3c6f7b2e4a9\\u0000\",\"event\":{}", false},
               {"\"event_id\":7,\"event\":{}", false},
               {"\"event_id\":null,\"event\":null", false},
               {"\"event_id\":\"8d5a0f3e-6f5b-4c1e-9d0a-3c6f7b2e4a91\",\"event\":[]", false},
               {MARK ",\"event\":null", false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_expect_eq(read_with(cases[i].members), RECORD_OK, "%s", cases[i].members);
    cr_expect_eq(record.marked, cases[i].marked, "%s", cases[i].members);
    cr_expect_str_eq(record.event_id, cases[i].marked ? "8d5a0f3e-6f5b-4c1e-9d0a-3c6f7b2e4a91" : "",
                     "%s", cases[i].members);
    cr_expect_eq(record.event.raw.ptr != NULL, cases[i].marked, "%s", cases[i].members);
  }
}

/* Cut anywhere, a line is garbage: a torn tail is never taken for a record (exact memory: the
 * sanitizer sees overreads). */
Test(record, a_torn_line_is_never_a_record) {
  static const char whole[] =
      "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"success\":true,"
      "\"metadata\":{\"a\":[1,2]}," MARK "}";
  for (size_t len = 1; len < sizeof whole - 1; len++) {
    char *exact = malloc(len);
    memcpy(exact, whole, len);
    cr_expect_eq(record_read((struct span){exact, len}, &record, NULL), RECORD_GARBAGE, "%zu bytes",
                 len);
    free(exact);
  }
  cr_expect_eq(read_line(whole), RECORD_OK);
}

Test(record, an_amendment_is_reserved_and_no_record) {
  cr_expect_eq(read_line("{\"amends\":\"run-17\"}"), RECORD_AMENDMENT);
  cr_expect(record.amends.raw.ptr != NULL);
  cr_expect_eq(read_line("{\"agent\":\"a\",\"amends\":\"\",\"x\":1}"), RECORD_AMENDMENT);
  cr_expect_eq(read_line("{\"agent\":\"a\",\"amends\":\"k\",\"success\":true}"), RECORD_OK);
  cr_expect_eq(read_line("{\"agent\":\"a\",\"amends\":\"k\",\"success\":1}"), RECORD_GARBAGE);
  cr_expect_eq(read_line("{\"agent\":\"a\",\"amends\":7}"), RECORD_GARBAGE);
}
