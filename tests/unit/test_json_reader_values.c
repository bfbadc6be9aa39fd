/* test_json_reader_values.c - the members and values that a reader returns.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "json_reader_scene.h"

#include <errno.h>
#include <math.h>

/* Walking. */

Test(json_reader_values, a_cursor_hands_out_members_in_their_order) {
  static const struct {
    const char *name;
    enum json_value_type type;
    const char *raw;
  } expected[] = {{"z", JSON_NUMBER, "1.50"},
                  {"a", JSON_STRING, "\"x\\ny\""},
                  {"o", JSON_OBJECT, "{ \"z\" : [] }"},
                  {"l", JSON_ARRAY, "[1, [2]]"},
                  {"t", JSON_TRUE, "true"},
                  {"f", JSON_FALSE, "false"},
                  {"n", JSON_NULL, "null"}};
  const char *json = " { \"z\" : 1.50 , \"a\":\"x\\ny\",\"o\":{ \"z\" : [] },\"l\":[1, "
                     "[2]],\"t\":true,\"f\":false,"
                     "\"n\":null } ";
  for (int dialect = JSON_STRICT; dialect <= JSON_LENIENT; dialect++) {
    struct json_reader cursor;
    struct json_member member;
    cr_assert_eq(
        json_reader_open(&cursor, text(json), (enum json_dialect)dialect, JSON_DEPTH_MAX, &fault),
        0);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
      cr_assert_eq(json_reader_next(&cursor, &member, &fault), 1, "%s: %s", expected[i].name,
                   fault.why);
      cr_expect(span_is(member.name, expected[i].name), "%s", expected[i].name);
      cr_expect_eq(member.value.type, expected[i].type, "%s", expected[i].name);
      cr_expect(span_is(member.value.raw, expected[i].raw), "%s", expected[i].name);
    }
    cr_assert_eq(json_reader_next(&cursor, &member, &fault), 0);
    cr_assert_eq(json_reader_next(&cursor, &member, &fault), 0, "the end stays the end");
    cr_assert_eq(cursor.members, 7);
  }
}

Test(json_reader_values, a_cursor_tells_no_object_from_no_json) {
  struct json_reader cursor;
  cr_expect_eq(json_reader_open(&cursor, text("[1]"), JSON_STRICT, 8, &fault), 1);
  cr_expect_eq(json_reader_open(&cursor, text(" 7 "), JSON_LENIENT, 8, &fault), 1);
  cr_expect_eq(json_reader_open(&cursor, text("[1"), JSON_LENIENT, 8, &fault), -1);
  cr_expect_eq(json_reader_open(&cursor, text("7 x"), JSON_LENIENT, 8, &fault), -1);
  cr_expect_eq(json_reader_open(&cursor, text("{\"a\":1,\"a\":2}"), JSON_STRICT, 8, &fault), -1);
  cr_expect_eq(json_reader_open(&cursor, text("{"), JSON_STRICT, 8, NULL), -1);
  cr_expect_str_eq(cursor.why, "a name in double quotes is expected here");
}

Test(json_reader_values, a_lenient_cursor_reports_damage_when_it_gets_there) {
  struct json_reader cursor;
  struct json_member member;
  cr_assert_eq(json_reader_open(&cursor, text("{\"a\":1,\"b\":[1,}"), JSON_LENIENT, 8, &fault), 0);
  cr_assert_eq(json_reader_next(&cursor, &member, &fault), 1);
  cr_assert_eq(json_reader_next(&cursor, &member, &fault), -1);
  cr_assert_eq(fault.offset, 14);
  cr_assert_str_eq(fault.why, "a value is expected here");
  cr_assert_eq(json_reader_open(&cursor, text("{} x"), JSON_LENIENT, 8, &fault), 0);
  cr_assert_eq(json_reader_next(&cursor, &member, &fault), -1);
}

Test(json_reader_values, names_are_compared_decoded) {
  struct json_reader cursor;
  struct json_member member;
  json_reader_open(&cursor, text("{\"\\u0061gent\":1}"), JSON_STRICT, 8, &fault);
  json_reader_next(&cursor, &member, &fault);
  cr_expect(json_value_is_named(&member, "agent"));
  cr_expect_not(json_value_is_named(&member, "agen"));
  cr_expect_not(json_value_is_named(&member, "agents"));
  cr_expect_not(json_value_is_named(&member, ""));
}

/* Values. */

static void must_decode(const char *raw, const char *expected, size_t len) {
  struct buffer out = {0};
  struct json_value value = {JSON_STRING, text(raw)};
  char bounded[64];
  json_value_decode(value, &out);
  cr_expect(span_equal(buffer_span(&out), (struct span){expected, len}), "%s", raw);
  cr_expect_eq(json_value_decode_bounded(value, bounded, sizeof bounded), len, "%s", raw);
  cr_expect_eq(memcmp(bounded, expected, len), 0, "%s", raw);
  buffer_fini(&out);
}

Test(json_reader_values, strings_are_decoded) {
  must_decode("\"\"", "", 0);
  must_decode("\"plain\"", "plain", 5);
  must_decode("raw name", "raw name", 8);
  must_decode("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
  must_decode("\"\\u0041\\u00e9\\u20AC\"", "A\xC3\xA9\xE2\x82\xAC", 6);
  must_decode("\"x\\uD83D\\uDE00y\"", "x\xF0\x9F\x98\x80y", 6);
  must_decode("\"a\\u0000b\"", "a\0b", 3);
  must_decode("\"\\ud800\"", "\xEF\xBF\xBD", 3);
  must_decode("\"\\ud800\\ud83d\\ude00\"", "\xEF\xBF\xBD\xF0\x9F\x98\x80", 7);
  must_decode("\"\\udc00\\u0041\"",
              "\xEF\xBF\xBD"
              "A",
              4);
}

Test(json_reader_values, bounded_decoding_stops_at_its_bound) {
  char out[5] = "zzzz";
  struct json_value value = {JSON_STRING, text("\"ab\\u00e9cd\"")};
  cr_assert_eq(json_value_decode_bounded(value, out, 3), 6);
  cr_assert_eq(memcmp(out, "ab\xC3z", 4), 0);
}

Test(json_reader_values, numbers_are_the_nearest_doubles) {
  static const char *const cases[] = {
      "0",
      "-0",
      "1",
      "-1.5",
      "0.81",
      "0.1",
      "123456789012345678",
      "9007199254740992",
      "9007199254740993",
      "9007199254740995",
      "9999999999999999999",
      "18446744073709551615",
      "18446744073709551616",
      "73786976294838206464",
      "0.73786976294838206464e-5",
      "9007199254740992.5",
      "1e22",
      "1e23",
      "1.7976931348623157e308",
      "5e-324",
      "2.4703282292062328e-324",
      "2.4703282292062327e-324",
      "0.6666666666666666",
      "12.345678901234567",
      "123456789e-30",
      "1e-22",
      "1e-23",
      "0.000000000000000000000000000001",
      "100000000000000000000000000000000",
      "4.35",
      "1E+2",
      "1e-400",
      "1e400",
      "-1e400",
      "0e999999999999999999999",
      "8.5e00000000000000000000000000000000000001",
      "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899",
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    double expected = strtod(cases[i], NULL), read;
    errno = EDOM;
    read = json_value_number((struct json_value){JSON_NUMBER, text(cases[i])});
    cr_expect_eq(errno, EDOM, "%s: errno was touched", cases[i]);
    cr_expect_eq(memcmp(&read, &expected, sizeof read), 0, "%s is read as %a, not %a", cases[i],
                 read, expected);
  }
  cr_expect(isnan(json_value_number((struct json_value){JSON_NUMBER, text("NaN")})));
  cr_expect_eq(json_value_number((struct json_value){JSON_NUMBER, text("-Infinity")}), -INFINITY);
}

Test(json_reader_values, the_longest_number_is_read_whole) {
  struct buffer out = {0};
  buffer_append_text(&out, "1");
  repeat(&out, "0", JSON_NUMBER_MAX - 5);
  buffer_append_text(
      &out, "e-99"); /* 1e408; were the end cut off, it would be finite or another number */
  cr_assert_eq(out.len, JSON_NUMBER_MAX);
  cr_assert(isinf(json_value_number((struct json_value){JSON_NUMBER, buffer_span(&out)})));
  buffer_fini(&out);
}

Test(json_reader_values, integers_are_those_without_fraction_within_64_bits) {
  static const struct {
    const char *text;
    int is;
    int64_t value;
  } cases[] = {{"0", 1, 0},
               {"-0", 1, 0},
               {"42", 1, 42},
               {"-42", 1, -42},
               {"9223372036854775807", 1, INT64_MAX},
               {"-9223372036854775808", 1, INT64_MIN},
               {"9223372036854775808", 0, 0},
               {"-9223372036854775809", 0, 0},
               {"99999999999999999999999999", 0, 0},
               {"1.0", 0, 0},
               {"1e3", 0, 0},
               {"NaN", 0, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int64_t value = 0;
    cr_expect_eq(json_value_integer((struct json_value){JSON_NUMBER, text(cases[i].text)}, &value),
                 cases[i].is, "%s", cases[i].text);
    cr_expect_eq(value, cases[i].value, "%s", cases[i].text);
  }
  int64_t value;
  cr_expect_eq(json_value_integer((struct json_value){JSON_STRING, text("\"1\"")}, &value), 0);
}

Test(json_reader_values, compacting_keeps_everything_but_white_space) {
  static const struct {
    const char *json, *compact;
  } cases[] = {
      {" { \"b\" : [ 1.50 , 2e0 ] ,\n\t\"a\" : \"x  y\" } ", "{\"b\":[1.50,2e0],\"a\":\"x  y\"}"},
      {"\"\\u0041\\/ \\\" \"", "\"\\u0041\\/ \\\" \""},
      {"\"\x7F\xC2\x85\xE2\x80\xA8\xE2\x80\xA9\"", "\"\\u007f\\u0085\\u2028\\u2029\""},
      {"{\"\xE2\x80\xA8\" : \"\xC3\xA9\"}", "{\"\\u2028\":\"\xC3\xA9\"}"},
      {"[ ]", "[]"},
      {" 7 ", "7"},
      {"\"\\\\\" ", "\"\\\\\""}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct buffer out = {0};
    struct json_value value;
    cr_assert_eq(
        json_reader_check(text(cases[i].json), JSON_STRICT, JSON_DEPTH_MAX, &value, &fault), 0,
        "%s", fault.why);
    json_value_compact(value, &out);
    cr_expect(span_is(buffer_span(&out), cases[i].compact), "%s becomes %.*s", cases[i].json,
              (int)out.len, out.data);
    buffer_fini(&out);
  }
}
