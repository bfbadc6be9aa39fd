/* execution_scene.h - an execution as a host gives it, its line, and its refusal.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_EXECUTION_SCENE_H
#define KAIZEN_TESTS_EXECUTION_SCENE_H

#include <criterion/criterion.h>
#include <kaizen/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_reader.h"
#include "record/execution_from_json.h"
#include "record/execution_from_struct.h"

#define SCENE_HELPER __attribute__((unused)) static

#define NOW_S INT64_C(1772600767) /* 2026-03-04T05:06:07Z */

static struct execution execution;
static struct execution_limits limits;
static struct kaizen_execution in;
static struct error error;

SCENE_HELPER void set_up(void) {
  execution = (struct execution){0};
  limits = (struct execution_limits){NOW_S, INT64_MIN, 65536, false};
  in = (struct kaizen_execution){
      .struct_size = sizeof in, .outcome = KAIZEN_SUCCESS, .agent = {"coach", KAIZEN_NTS}};
}

SCENE_HELPER void tear_down(void) {
  execution_fini(&execution);
}

SCENE_HELPER struct span text(const char *bytes) {
  return (struct span){bytes, strlen(bytes)};
}

SCENE_HELPER struct kaizen_str nts(const char *bytes) {
  return (struct kaizen_str){bytes, KAIZEN_NTS};
}

SCENE_HELPER int from_struct(void) {
  error = (struct error){0};
  return execution_from_struct(&execution, &in, &limits, &error);
}

SCENE_HELPER int from_json(const char *json) {
  error = (struct error){0};
  return execution_from_json(&execution, text(json), 0, &limits, &error);
}

/* The whole line of the execution, which must be a record for any reader. */
SCENE_HELPER void must_be_line(const char *name, const char *expected) {
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

SCENE_HELPER void must_be_refused(const char *name, int result, const char *message) {
  cr_expect_eq(result, -1, "%s is accepted", name);
  cr_expect_eq(error.code, KAIZEN_E_REJECTED, "%s: code %d", name, error.code);
  cr_expect_str_eq(error.text, message, "%s: %s", name, error.text);
  cr_expect_lt(strlen(error.text), sizeof((struct kaizen_receipt *)0)->reason,
               "%s is too long for a receipt", name);
}

#endif
