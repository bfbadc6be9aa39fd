/* test_execution_refused.c - what no execution may be, and what the refusal says.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "execution_scene.h"

#include <math.h>

#include "common/utf8.h"

TestSuite(execution_refused, .init = set_up, .fini = tear_down);

Test(execution_refused, numbers_of_the_struct_are_checked) {
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

Test(execution_refused, negative_zero_is_zero) {
  in.execution_time_s = in.quality_score = in.primary_value = in.primary_target = -0.0;
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  in.flags = KAIZEN_EXEC_HAS_TIME | KAIZEN_EXEC_HAS_QUALITY;
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  must_be_line(
      "with flags",
      "{\"timestamp\":\"2026-03-04T05:06:07Z\",\"agent\":\"coach\",\"execution_time_s\":0.0,"
      "\"success\":true,\"quality_score\":0.0}");
}

Test(execution_refused, a_metric_needs_its_name) {
  in.flags = KAIZEN_EXEC_HAS_PRIMARY;
  must_be_refused("no name", from_struct(), "primary_metric has no name; give one");
  in.primary_name = nts("");
  must_be_refused("empty name", from_struct(), "primary_metric has no name; give one");
  in.flags = 0;
  in.primary_name = nts("n");
  must_be_refused("name alone", from_struct(),
                  "primary_name is given without its value; set KAIZEN_EXEC_HAS_PRIMARY");
}

Test(execution_refused, an_outcome_that_was_not_set_is_refused) {
  in.outcome = 0;
  must_be_refused("zero", from_struct(),
                  "outcome is 0 (forgotten); set KAIZEN_SUCCESS or KAIZEN_FAILURE");
  in.outcome = 3;
  must_be_refused("three", from_struct(), "outcome is 3; set KAIZEN_SUCCESS or KAIZEN_FAILURE");
}

Test(execution_refused, a_length_without_a_pointer_is_refused) {
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

Test(execution_refused, strings_must_be_utf8) {
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

Test(execution_refused, json_texts_of_the_struct_are_checked) {
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

Test(execution_refused, json_records_are_checked) {
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

Test(execution_refused, no_refusal_is_too_long_for_a_receipt) {
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
