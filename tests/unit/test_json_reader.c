/* test_json_reader.c - what the two dialects take, refuse and hand out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <kaizen/plugin.h>

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_reader.h"

static struct json_fault fault;

static struct span text(const char *bytes) {
  return (struct span){bytes, strlen(bytes)};
}

static int check(const char *json, enum json_dialect dialect) {
  struct json_value value;
  fault.why[0] = '\0';
  return json_reader_check(text(json), dialect, JSON_DEPTH_MAX, &value, &fault);
}

static void repeat(struct buffer *out, const char *piece, size_t count) {
  for (size_t i = 0; i < count; i++)
    buffer_append_text(out, piece);
}

/* Dialects. */

Test(json_reader, takes_what_the_standard_allows) {
  static const char *const cases[] = {
      "{}",
      "[]",
      "null",
      "true",
      "false",
      "0",
      "-0",
      "-0.0e-0",
      "1.5e+3",
      "1E9",
      "\"\"",
      " \t\r\n[ 1 , 2 ] \n",
      "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":1}]}",
      "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
      "\"\\ud83d\\ude00\"",
      "\"\xF0\x9F\x98\x80 \xC2\x85\xE2\x80\xA8\x7F\"",
      "{\"\":1}",
      "[[],{},[{}]]",
      "123456789012345678901234567890",
      "1e308",
      "1e-999",
      "{\"a\":1,\"A\":2}",
      "\"\\uD800\\uDC00\"",
      "\"\\u0000\"",
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_expect_eq(check(cases[i], JSON_STRICT), 0, "strict: %s: %s", cases[i], fault.why);
    cr_expect_eq(check(cases[i], JSON_LENIENT), 0, "lenient: %s: %s", cases[i], fault.why);
  }
}

Test(json_reader, refuses_what_no_reader_takes) {
  static const char *const cases[] = {
      "",
      " ",
      "{",
      "[",
      "}",
      "]",
      "[1",
      "[1,",
      "[1,]",
      "[,]",
      "[,1]",
      "[1 2]",
      "{,}",
      "{\"a\"}",
      "{\"a\":}",
      "{\"a\":1,}",
      "{\"a\" 1}",
      "{a:1}",
      "{'a':1}",
      "'a'",
      "{1:2}",
      "[1}",
      "{\"a\":1]",
      "{]",
      "[}",
      "01",
      "-",
      "+1",
      ".5",
      "1.",
      "1.e3",
      "1e",
      "1e+",
      "0x10",
      "1_000",
      "- 1",
      "-01",
      "tru",
      "True",
      "nul",
      "None",
      "nan",
      "inf",
      "-nan",
      "--1",
      "\"",
      "\"a",
      "\"\\\"",
      "\"\\x41\"",
      "\"\\u12\"",
      "\"\\u12G4\"",
      "\"\\\"",
      "\"\\",
      "\"a\nb\"",
      "\"a\tb\"",
      "\"\x01\"",
      "\"\xFF\"",
      "\"\xC0\xAF\"",
      "\"\xED\xA0\x80\"",
      "\xEF\xBB\xBF{}",
      "{}{}",
      "{} x",
      "1 2",
      "[1]]",
      "/* */ 1",
      "// x\n1",
      "truefalse",
      "\"a\" \"b\"",
      "[\"a\":1]",
      ("\xC2\xA0"
       "1"),
      "\v1",
      "1\f",
      "\"\\u+123\"",
      "\"\\u 123\"",
      "NaNN",
      "Infinityx",
      "{\"a\":1 \"b\":2}",
      "{\"a\":1,,\"b\":2}",
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_expect_eq(check(cases[i], JSON_STRICT), -1, "strict takes: %s", cases[i]);
    cr_expect_eq(check(cases[i], JSON_LENIENT), -1, "lenient takes: %s", cases[i]);
  }
}

Test(json_reader, only_the_lenient_dialect_takes_what_python_takes_beyond_the_standard) {
  static const char *const cases[] = {
      "NaN",
      "Infinity",
      "-Infinity",
      "[NaN,-Infinity]",
      "\"\\ud800\"",
      "\"\\udc00\"",
      "\"\\ud800\\ud800\"",
      "\"\\ud800x\"",
      "\"\\udc00\\ud800\"",
      "\"\\ud800\\n\"",
      "1e999",
      "-1.5e400",
      "{\"a\":1,\"a\":2}",
      "{\"a\":1,\"\\u0061\":2}",
      "{\"x\":[{\"b\":{\"a\":1,\"c\":0,\"a\":2}}]}",
      "{\"\":1,\"\":2}",
      "{\"\\u00e9\":1,\"\xC3\xA9\":2}",
      "{\"\\/\":1,\"/\":2}",
      "{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}",
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_expect_eq(check(cases[i], JSON_STRICT), -1, "strict takes: %s", cases[i]);
    cr_expect_eq(check(cases[i], JSON_LENIENT), 0, "lenient: %s: %s", cases[i], fault.why);
  }
}

Test(json_reader, says_where_and_what) {
  static const struct {
    const char *json;
    size_t offset;
    const char *why;
  } cases[] = {{"{\"a\": 1.}", 8, "a number needs a digit after its decimal point"},
               {"[1 2]", 3, "',' or ']' is expected here"},
               {"{\"a\":1;}", 6, "',' or '}' is expected here"},
               {"{'a':1}", 1, "a name in double quotes is expected here"},
               {"{\"a\":NaN}", 5, "NaN and Infinity are not JSON numbers; leave the field out"},
               {"{\"a\":1,\"a\":2}", 7, "a name appears twice in one object"},
               {"\"ab\xFF\"", 3, "not UTF-8"},
               {"\"\\ud800\"", 1, "half a surrogate pair is not a character"},
               {"{} {}", 3, "there is more text after the value's end"},
               {"1e999", 0, "the number is too large for a double; give a finite one"},
               {"\"abc", 4, "the text ends inside a string"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_expect_eq(check(cases[i].json, JSON_STRICT), -1, "%s", cases[i].json);
    cr_expect_eq(fault.offset, cases[i].offset, "%s: byte %zu", cases[i].json, fault.offset);
    cr_expect_str_eq(fault.why, cases[i].why, "%s", cases[i].json);
  }
}

/* Every text cut short anywhere is refused without looking after its end (checked by the
 * sanitizer: exact memory). */
Test(json_reader, never_reads_behind_the_end) {
  static const char whole[] =
      "{\"a\":[1.5e+3,true,false,null,\"x\\u00e9\\ud83d\\ude00\xE2\x82\xAC\"],\"b\":{\"c\":-"
      "Infinity,\"d\":NaN}}";
  for (size_t len = 0; len < sizeof whole - 1; len++) {
    char *exact = malloc(len ? len : 1);
    struct json_value value;
    memcpy(exact, whole, len);
    cr_expect_eq(
        json_reader_check((struct span){exact, len}, JSON_LENIENT, JSON_DEPTH_MAX, &value, NULL),
        -1, "%zu bytes", len);
    free(exact);
  }
  cr_expect_eq(check(whole, JSON_LENIENT), 0, "%s", fault.why);
}

/* Bounds. */

Test(json_reader, depth_is_bounded_exactly) {
  for (unsigned depth = 1; depth <= 40; depth++) {
    struct buffer out = {0};
    struct json_value value;
    for (unsigned i = 0; i < depth; i++)
      buffer_append_text(&out, i % 2 ? "[" : "{\"a\":");
    buffer_append_byte(&out, '1');
    for (unsigned i = depth; i-- > 0;)
      buffer_append_byte(&out, i % 2 ? ']' : '}');
    int result = json_reader_check(buffer_span(&out), JSON_STRICT, JSON_DEPTH_MAX, &value, &fault);
    cr_expect_eq(result, depth <= JSON_DEPTH_MAX ? 0 : -1, "depth %u", depth);
    buffer_fini(&out);
  }
  cr_expect(strstr(fault.why, "more than 32 levels deep"), "%s", fault.why);
}

Test(json_reader, a_cursor_counts_its_own_object_as_a_level) {
  struct json_reader cursor;
  struct json_member member;
  cr_assert_eq(json_reader_open(&cursor, text("{\"a\":[]}"), JSON_LENIENT, 1, &fault), 0);
  cr_assert_eq(json_reader_next(&cursor, &member, &fault), -1);
  cr_assert_eq(json_reader_open(&cursor, text("{\"a\":[]}"), JSON_LENIENT, 2, &fault), 0);
  cr_assert_eq(json_reader_next(&cursor, &member, &fault), 1);
}

Test(json_reader, a_hundred_thousand_open_brackets_cost_nothing) {
  struct buffer out = {0};
  struct json_value value;
  repeat(&out, "[", 100000);
  cr_assert_eq(json_reader_check(buffer_span(&out), JSON_STRICT, JSON_DEPTH_MAX, &value, &fault),
               -1);
  cr_assert_eq(json_reader_check(buffer_span(&out), JSON_LENIENT, 1000000, &value, &fault), -1);
  cr_assert_eq(fault.offset, 1024, "byte %zu", fault.offset);
  buffer_fini(&out);
}

Test(json_reader, numbers_are_bounded_by_their_length) {
  struct buffer out = {0};
  struct json_value value;
  repeat(&out, "9", JSON_NUMBER_MAX);
  cr_expect_eq(json_reader_check(buffer_span(&out), JSON_STRICT, 1, &value, &fault), 0, "%s",
               fault.why);
  repeat(&out, "9", 1);
  cr_expect_eq(json_reader_check(buffer_span(&out), JSON_STRICT, 1, &value, &fault), -1);
  cr_expect(strstr(fault.why, "longer than 512"), "%s", fault.why);
  buffer_fini(&out);
}

Test(json_reader, a_string_of_16_megabytes_is_passed) {
  struct buffer out = {0};
  struct json_value value;
  buffer_append_byte(&out, '"');
  repeat(&out, "0123456789abcdef", 1 << 20);
  buffer_append_byte(&out, '"');
  cr_assert_eq(json_reader_check(buffer_span(&out), JSON_STRICT, 1, &value, &fault), 0, "%s",
               fault.why);
  cr_assert_eq(value.raw.len, out.len);
  buffer_fini(&out);
}

/* An object with `count` names, the last of them equal to name number `twin` (count: none). */
static void many_names(struct buffer *out, unsigned count, unsigned twin) {
  buffer_clear(out);
  for (unsigned i = 0; i < count; i++) {
    char member[32];
    bool last = i == count - 1 && twin < count;
    snprintf(member, sizeof member, "%c\"%s%x\":0", i ? ',' : '{', last ? "\\u006e" : "n",
             last ? twin : i);
    buffer_append_text(out, member);
  }
  buffer_append_byte(out, '}');
}

/* Beyond about 1,500 names the text is read more than once. */
Test(json_reader, a_duplicate_is_found_among_any_number_of_names) {
  static const unsigned counts[] = {2,    3,    10,   100,  1000,  1535,
                                    1536, 1537, 2000, 5000, 20000, 80000};
  struct buffer out = {0};
  struct json_value value;
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    many_names(&out, counts[i], counts[i]);
    cr_expect_eq(json_reader_check(buffer_span(&out), JSON_STRICT, 1, &value, &fault), 0,
                 "%u names: %s", counts[i], fault.why);
    many_names(&out, counts[i], counts[i] / 2 - 1);
    cr_expect_eq(json_reader_check(buffer_span(&out), JSON_STRICT, 1, &value, &fault), -1,
                 "%u names with a duplicate", counts[i]);
    cr_expect(strstr(fault.why, "appears twice"), "%u names: %s", counts[i], fault.why);
  }
  buffer_fini(&out);
}

Test(json_reader, more_names_than_can_be_compared_are_refused) {
  struct buffer out = {0};
  struct json_value value;
  many_names(&out, 200000, 200000);
  cr_assert_eq(json_reader_check(buffer_span(&out), JSON_STRICT, 1, &value, &fault), -1);
  cr_assert(strstr(fault.why, "too many names"), "%s", fault.why);
  cr_assert_eq(json_reader_check(buffer_span(&out), JSON_LENIENT, 1, &value, &fault), 0);
  buffer_fini(&out);
}

Test(json_reader, equal_names_in_different_objects_are_no_duplicates) {
  struct buffer out = {0};
  struct json_value value;
  buffer_append_byte(&out, '[');
  repeat(&out, "{\"a\":{\"a\":1}},", 5000);
  buffer_append_text(&out, "0]");
  cr_assert_eq(json_reader_check(buffer_span(&out), JSON_STRICT, JSON_DEPTH_MAX, &value, &fault), 0,
               "%s", fault.why);
  buffer_fini(&out);
}

/* Walking. */

Test(json_reader, a_cursor_hands_out_members_in_their_order) {
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

Test(json_reader, a_cursor_tells_no_object_from_no_json) {
  struct json_reader cursor;
  cr_expect_eq(json_reader_open(&cursor, text("[1]"), JSON_STRICT, 8, &fault), 1);
  cr_expect_eq(json_reader_open(&cursor, text(" 7 "), JSON_LENIENT, 8, &fault), 1);
  cr_expect_eq(json_reader_open(&cursor, text("[1"), JSON_LENIENT, 8, &fault), -1);
  cr_expect_eq(json_reader_open(&cursor, text("7 x"), JSON_LENIENT, 8, &fault), -1);
  cr_expect_eq(json_reader_open(&cursor, text("{\"a\":1,\"a\":2}"), JSON_STRICT, 8, &fault), -1);
  cr_expect_eq(json_reader_open(&cursor, text("{"), JSON_STRICT, 8, NULL), -1);
  cr_expect_str_eq(cursor.why, "a name in double quotes is expected here");
}

Test(json_reader, a_lenient_cursor_reports_damage_when_it_gets_there) {
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

Test(json_reader, names_are_compared_decoded) {
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

Test(json_reader, strings_are_decoded) {
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

Test(json_reader, bounded_decoding_stops_at_its_bound) {
  char out[5] = "zzzz";
  struct json_value value = {JSON_STRING, text("\"ab\\u00e9cd\"")};
  cr_assert_eq(json_value_decode_bounded(value, out, 3), 6);
  cr_assert_eq(memcmp(out, "ab\xC3z", 4), 0);
}

Test(json_reader, numbers_are_the_nearest_doubles) {
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

Test(json_reader, the_longest_number_is_read_whole) {
  struct buffer out = {0};
  buffer_append_text(&out, "1");
  repeat(&out, "0", JSON_NUMBER_MAX - 5);
  buffer_append_text(
      &out, "e-99"); /* 1e408; were the end cut off, it would be finite or another number */
  cr_assert_eq(out.len, JSON_NUMBER_MAX);
  cr_assert(isinf(json_value_number((struct json_value){JSON_NUMBER, buffer_span(&out)})));
  buffer_fini(&out);
}

Test(json_reader, integers_are_those_without_fraction_within_64_bits) {
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

Test(json_reader, compacting_keeps_everything_but_white_space) {
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
