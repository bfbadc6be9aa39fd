/* test_json_reader.c - what the two dialects take and refuse, and what bounds them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "json_reader_scene.h"

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
