/* test_event.c - the envelope is a function of its line, and of nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <kaizen/plugin.h>

#include <stdio.h>
#include <string.h>

#include "record/event.h"

#define ID "8d5a0f3e-6f5b-4c1e-9d0a-3c6f7b2e4a91"

static struct buffer out;
static struct error error;

static void set_up(void) {
  out = (struct buffer){0};
  error = (struct error){0};
}

static void tear_down(void) {
  buffer_fini(&out);
}

TestSuite(event, .init = set_up, .fini = tear_down);

static int envelope_of(const char *line) {
  struct record record;
  const char *why = "";
  cr_assert_eq(record_read((struct span){line, strlen(line)}, &record, &why), RECORD_OK, "%s: %s",
               line, why);
  return event_append_envelope(&record, &out, &error);
}

Test(event, the_envelope_has_exactly_the_keys_of_the_contract_in_their_order) {
  cr_assert_eq(envelope_of("{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\","
                           "\"success\":true,\"event_id\":\"" ID
                           "\",\"event\":{\"project\":\"demo\",\"success_rate\":0.6666666666666666,"
                           "\"execution_count\":3,\"avg_quality\":0.82}}"),
               0, "%s", error.text);
  cr_assert(
      span_is(
          buffer_span(&out),
          "{\"id\":\"" ID "\",\"type\":\"kaizen.metrics.recorded\",\"version\":\"1.0\","
          "\"timestamp\":\"2026-03-04T05:06:07Z\",\"publisher\":\"kaizen-agentic\",\"attributes\":{"
          "\"agent\":\"coach\",\"project\":\"demo\",\"summary\":{\"success_rate\":0."
          "6666666666666666,"
          "\"execution_count\":3,\"avg_quality\":0.82}}}"),
      "%.*s", (int)out.len, out.data);
}

Test(event, is_the_same_however_the_line_is_laid_out) {
  cr_assert_eq(
      envelope_of("{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"success\":true,"
                  "\"event_id\":\"" ID
                  "\",\"event\":{\"project\":\"d\",\"success_rate\":0.10,\"execution_count\":3,"
                  "\"avg_quality\":8.2e-1}}"),
      0);
  size_t len = out.len;
  cr_assert_eq(
      envelope_of(
          " { \"event\" : { \"x\":1, \"avg_quality\" : 1, \"avg_quality\" : 8.2e-1 , "
          "\"execution_count\":3, "
          "\"success_rate\":0.10,\"pr\\u006fject\":\"\\u0064\"},\"event_id\":"
          "\"8D5A0F3E-6F5B-4C1E-9D0A-3C6F7B2E4A91\",\"success\":false,\"agent\":\"c\\u006fach\","
          "\"timestamp\":\"2026-03-04 06:06:07.9+01:00\"}\r"),
      0);
  cr_assert_eq(out.len, 2 * len);
  cr_assert_eq(memcmp(out.data, out.data + len, len), 0, "%.*s", (int)out.len, out.data);
}

Test(event, texts_are_escaped_anew) {
  cr_assert_eq(
      envelope_of(
          "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"\\u2028\\ud800\",\"success\":true,"
          "\"event_id\":\"" ID "\",\"event\":{\"project\":\"\\\"\\u00e9\\n\",\"success_rate\":1,"
          "\"execution_count\":1,\"avg_quality\":0}}"),
      0, "%s", error.text);
  buffer_append_byte(&out, '\0');
  cr_assert(strstr(out.data, "\"agent\":\"\\u2028\xEF\xBF\xBD\",\"project\":\"\\\"\xC3\xA9\\n\""),
            "%s", out.data);
}

Test(event, a_line_that_cannot_be_one_is_refused_and_leaves_nothing) {
  static const struct {
    const char *timestamp, *event, *message;
  } cases[] = {
      {"x", "{\"project\":\"d\",\"success_rate\":1,\"execution_count\":1,\"avg_quality\":1}",
       "the record's timestamp cannot be read"},
      {"2026-03-04T05:06:07Z", "{}", "event.project is not a string"},
      {"2026-03-04T05:06:07Z",
       "{\"project\":7,\"success_rate\":1,\"execution_count\":1,\"avg_quality\":1}",
       "event.project is not a string"},
      {"2026-03-04T05:06:07Z",
       "{\"project\":\"d\",\"success_rate\":\"1\",\"execution_count\":1,\"avg_quality\":1}",
       "event.success_rate is not a number"},
      {"2026-03-04T05:06:07Z",
       "{\"project\":\"d\",\"success_rate\":NaN,\"execution_count\":1,\"avg_quality\":1}",
       "event.success_rate is not a number"},
      {"2026-03-04T05:06:07Z",
       "{\"project\":\"d\",\"success_rate\":1e999,\"execution_count\":1,\"avg_quality\":1}",
       "event.success_rate is not a number"},
      {"2026-03-04T05:06:07Z",
       "{\"project\":\"d\",\"success_rate\":1,\"execution_count\":1.5,\"avg_quality\":1}",
       "event.execution_count is not a whole number"},
      {"2026-03-04T05:06:07Z",
       "{\"project\":\"d\",\"success_rate\":1,\"execution_count\":-1,\"avg_quality\":1}",
       "event.execution_count is not a whole number"},
      {"2026-03-04T05:06:07Z", "{\"project\":\"d\",\"success_rate\":1,\"avg_quality\":1}",
       "event.execution_count is not a whole number"},
      {"2026-03-04T05:06:07Z",
       "{\"project\":\"d\",\"success_rate\":1,\"execution_count\":1,\"avg_quality\":null}",
       "event.avg_quality is not a number"},
  };
  buffer_append_text(&out, "before");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char line[512];
    snprintf(line, sizeof line,
             "{\"timestamp\":\"%s\",\"agent\":\"a\",\"success\":true,\"event_id\":\"" ID
             "\",\"event\":%s}",
             cases[i].timestamp, cases[i].event);
    cr_expect_eq(envelope_of(line), -1, "%s", line);
    cr_expect_eq(error.code, KAIZEN_E_REJECTED, "%s", line);
    cr_expect_str_eq(error.text, cases[i].message, "%s: %s", line, error.text);
    cr_expect(span_is(buffer_span(&out), "before"), "%s", line);
  }
}

Test(event, an_unmarked_record_has_none) {
  cr_assert_eq(envelope_of("{\"agent\":\"a\",\"success\":true}"), -1);
  cr_assert_str_eq(error.text, "the record is not marked for emission");
}
