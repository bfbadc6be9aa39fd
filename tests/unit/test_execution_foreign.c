/* test_execution_foreign.c - keys that are not ours, and the lines of other logs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "execution_scene.h"

TestSuite(execution_foreign, .init = set_up, .fini = tear_down);

static int from_log(const char *json) {
  error = (struct error){0};
  return execution_from_json(&execution, text(json), KAIZEN_EXEC_KEEP_UNKNOWN, &limits, &error);
}

#define BEGINNING "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"a\",\"success\":true"

Test(execution_foreign, keys_that_begin_with_x_are_anybodys) {
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

Test(execution_foreign, a_line_of_a_log_is_kept_as_it_is) {
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

Test(execution_foreign, a_timestamp_that_cannot_be_read_is_kept_and_dates_nothing) {
  cr_assert_eq(from_log("{\"timestamp\":\"yesterday\",\"agent\":\"a\",\"success\":true}"), 0, "%s",
               error.text);
  cr_expect_eq(execution.timestamp_s, -1);
  must_be_line("line", "{\"agent\":\"a\",\"success\":true,\"timestamp\":\"yesterday\"}");
}

Test(execution_foreign, what_a_record_needs_is_needed_of_a_log_too) {
  must_be_refused("no agent", from_log("{\"success\":true}"),
                  "agent is missing; name the agent that ran");
  must_be_refused("no success", from_log("{\"agent\":\"a\",\"success\":1}"),
                  "success is a number (1); true or false is needed");
  cr_expect_eq(from_log("[]"), -1);
  cr_expect_eq(from_log("{\"agent\":\"a\",\"success\":true"), -1);
}
