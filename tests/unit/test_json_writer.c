/* test_json_writer.c - what the writer prints is what Python prints, and one line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_reader.h"
#include "common/json_writer.h"
#include "common/utf8.h"

static struct buffer out;

static void set_up(void) {
  out = (struct buffer){0};
}

static void tear_down(void) {
  buffer_fini(&out);
}

TestSuite(json_writer, .init = set_up, .fini = tear_down);

static const char *printed(double value) {
  buffer_clear(&out);
  json_writer_double(&out, value);
  buffer_append_byte(&out, '\0');
  return out.data;
}

static const char *quoted(const char *bytes, size_t len) {
  buffer_clear(&out);
  json_writer_string(&out, (struct span){bytes, len});
  buffer_append_byte(&out, '\0');
  return out.data;
}

/* Each expectation is repr() of Python 3. */
Test(json_writer, doubles_are_printed_as_python_prints_them) {
  static const struct {
    double value;
    const char *text;
  } cases[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {1, "1.0"},
      {-42, "-42.0"},
      {0.1, "0.1"},
      {0.81, "0.81"},
      {0.1 + 0.2, "0.30000000000000004"},
      {2.0 / 3, "0.6666666666666666"},
      {1.0 / 3, "0.3333333333333333"},
      {100, "100.0"},
      {1234.5678, "1234.5678"},
      {0.0001, "0.0001"},
      {0.00001, "1e-05"},
      {0.000123, "0.000123"},
      {0.0000123, "1.23e-05"},
      {1e15, "1000000000000000.0"},
      {9007199254740993.0, "9007199254740992.0"},
      {9999999999999998.0, "9999999999999998.0"},
      {1e16, "1e+16"},
      {12345678901234567890.0, "1.2345678901234567e+19"},
      {1e22, "1e+22"},
      {1e23, "1e+23"},
      {1e100, "1e+100"},
      {1e-100, "1e-100"},
      {0x1p-44, "5.684341886080802e-14"},
      {0x1p-1022, "2.2250738585072014e-308"},
      {0x1p-1074, "5e-324"},
      {0x1p-1073, "1e-323"},
      {DBL_MAX, "1.7976931348623157e+308"},
      {-DBL_MAX, "-1.7976931348623157e+308"},
      {0x1p-33, "1.1641532182693481e-10"},
      {0x1p-34, "5.820766091346741e-11"},
      {9.5e-11, "9.5e-11"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    cr_expect_str_eq(printed(cases[i].value), cases[i].text, "%a: %s, not %s", cases[i].value,
                     out.data, cases[i].text);
}

/* A fixed generator: the same values in every run. */
static uint64_t next_random(uint64_t *state) {
  *state += UINT64_C(0x9E3779B97F4A7C15);
  uint64_t z = (*state ^ *state >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
  return z ^ z >> 31;
}

static void must_read_back(double value) {
  const char *text = printed(value);
  double back = strtod(text, NULL);
  double own = json_value_number((struct json_value){JSON_NUMBER, {text, strlen(text)}});
  if (memcmp(&back, &value, sizeof value) != 0 || memcmp(&own, &value, sizeof value) != 0)
    cr_assert_fail("%a is printed as %s and read back as %a, by json_value_number as %a", value,
                   text, back, own);
}

/* Made here, as a system may have none with a comma. */
static bool use_locale_with_a_comma(void) {
  const char *folder = getenv("TMPDIR");
  char command[512], text[8];

  (void)snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/comma 2>/dev/null",
                 folder ? folder : "/tmp");
  if (system(command) != 0 || setenv("LOCPATH", folder ? folder : "/tmp", 1) != 0 ||
      !setlocale(LC_ALL, "comma"))
    return false;
  (void)snprintf(text, sizeof text, "%.1f", 1.5);
  return strcmp(text, "1,5") == 0;
}

/* A short one, one of seventeen digits, two that the C library helps with. */
Test(json_writer, numbers_do_not_follow_the_hosts_locale) {
  static const char *const texts[] = {"1.5", "0.30000000000000004", "1.2345e+200", "2.5e-310"};

  if (!use_locale_with_a_comma())
    cr_skip_test("no locale with a comma can be made here");
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct json_value value = {JSON_NUMBER, {texts[i], strlen(texts[i])}};

    cr_assert_str_eq(printed(json_value_number(value)), texts[i]);
  }
}

Test(json_writer, every_double_reads_back_as_itself) {
  uint64_t state = 1;
  for (int i = 0; i < 20000; i++) {
    uint64_t bits = next_random(&state);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (isfinite(value))
      must_read_back(value);
    must_read_back((double)(bits >> 11) * 0x1p-53);
    must_read_back((double)(bits % 1000000) / 1000);
  }
  for (int exponent = -1074; exponent < 1024; exponent++) {
    must_read_back(ldexp(1, exponent));
    must_read_back(nextafter(ldexp(1, exponent), 0));
    must_read_back(nextafter(ldexp(1, exponent), INFINITY));
  }
}

/* One digit fewer never reads back, or the text would not be the shortest. */
Test(json_writer, no_shorter_text_would_read_back) {
  uint64_t state = 2;
  for (int i = 0; i < 20000; i++) {
    double value = (double)(next_random(&state) >> 11) * 0x1p-53 * 1000;
    char shorter[64];
    const char *text = printed(value);
    size_t digits = 0;
    for (const char *at = text; *at && *at != 'e'; at++)
      digits += *at >= '0' && *at <= '9' && (digits > 0 || *at != '0');
    if (digits < 2 || value < 1)
      continue;
    snprintf(shorter, sizeof shorter, "%.*e", (int)digits - 2, value);
    cr_assert_neq(strtod(shorter, NULL), value, "%s could be %s", text, shorter);
  }
}

Test(json_writer, what_is_not_finite_never_becomes_an_unreadable_text) {
  cr_assert_str_eq(printed(INFINITY), "1.7976931348623157e+308");
  cr_assert_str_eq(printed(-INFINITY), "-1.7976931348623157e+308");
  cr_assert_str_eq(printed(NAN), "0.0");
}

Test(json_writer, integers_are_printed_to_their_ends) {
  static const struct {
    int64_t value;
    const char *text;
  } cases[] = {{0, "0"},
               {7, "7"},
               {-7, "-7"},
               {INT64_MAX, "9223372036854775807"},
               {INT64_MIN, "-9223372036854775808"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    buffer_clear(&out);
    json_writer_integer(&out, cases[i].value);
    cr_expect(span_is(buffer_span(&out), cases[i].text), "%s", cases[i].text);
  }
}

Test(json_writer, strings_are_escaped_where_a_line_would_break) {
  static const struct {
    const char *name, *in, *out;
  } cases[] = {
      {"plain", "coach", "\"coach\""},
      {"empty", "", "\"\""},
      {"quote and backslash", "a\"b\\c", "\"a\\\"b\\\\c\""},
      {"short escapes", "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""},
      {"other control characters", "\x01\x1f", "\"\\u0001\\u001f\""},
      {"file separators, which end a line for Python", "\x1c\x1d\x1e", "\"\\u001c\\u001d\\u001e\""},
      {"DEL", "a\x7F", "\"a\\u007f\""},
      {"next line", "a\xC2\x85z", "\"a\\u0085z\""},
      {"line and paragraph separator", "\xE2\x80\xA8\xE2\x80\xA9", "\"\\u2028\\u2029\""},
      {"neighbours of these stay", "\xC2\x84\xC2\x86\xE2\x80\xA7\xE2\x80\xAA",
       "\"\xC2\x84\xC2\x86\xE2\x80\xA7\xE2\x80\xAA\""},
      {"solidus stays", "a/b", "\"a/b\""},
      {"emoji stays", "\xF0\x9F\x98\x80", "\"\xF0\x9F\x98\x80\""}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    cr_expect_str_eq(quoted(cases[i].in, strlen(cases[i].in)), cases[i].out, "%s: %s",
                     cases[i].name, out.data);
  cr_expect_str_eq(quoted("a\0b", 3), "\"a\\u0000b\"");
  cr_expect_str_eq(quoted(NULL, 0), "\"\"");
}

/* Each special byte at each place of the eight that are looked at together. */
Test(json_writer, a_special_character_is_found_at_every_place) {
  static const char special[] = "\"\\\n\x7F\x1F";
  for (size_t place = 0; place < 24; place++)
    for (const char *c = special; *c; c++) {
      char in[24];
      memset(in, 'x', sizeof in);
      in[place] = *c;
      const char *text = quoted(in, sizeof in);
      struct json_value value = {JSON_STRING, {text, strlen(text)}};
      struct buffer back = {0};
      cr_assert_eq(text[place + 1], '\\', "byte %02x at %zu", *c, place);
      json_value_decode(value, &back);
      cr_assert(span_equal(buffer_span(&back), (struct span){in, sizeof in}), "byte %02x at %zu",
                *c, place);
      buffer_fini(&back);
    }
}

Test(json_writer, every_code_point_reads_back_as_itself) {
  struct buffer back = {0};
  for (uint32_t code_point = 0; code_point < 0x110000; code_point++) {
    char bytes[4];
    struct span in = {bytes, utf8_encode(code_point, bytes)};
    if (code_point >= 0xD800 && code_point <= 0xDFFF)
      continue;
    struct json_value value;
    buffer_clear(&out);
    buffer_clear(&back);
    json_writer_string(&out, in);
    if (json_reader_check(buffer_span(&out), JSON_STRICT, 1, &value, NULL) != 0)
      cr_assert_fail("U+%04X is not valid JSON", code_point);
    json_value_decode(value, &back);
    if (!span_equal(buffer_span(&back), in))
      cr_assert_fail("U+%04X reads back differently", code_point);
  }
  buffer_fini(&back);
}
