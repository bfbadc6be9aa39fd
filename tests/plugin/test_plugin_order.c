/* test_plugin_order.c - batches whose agents are committed in any order, through the real file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

#include <sys/file.h>

enum { LEFT_OUT_MAX = 8 };

static const struct kaizen_batch_1 *batch;
static struct {
  unsigned count;
  uint64_t lines[LEFT_OUT_MAX];
  int32_t codes[LEFT_OUT_MAX];
} told;

static void set_up(void) {
  enter_plugin();
  batch = plugin->get_extension(KAIZEN_BATCH_1);
}

TestSuite(plugin_order, .init = set_up, .fini = leave_plugin);

static void note(void *ctx, uint64_t line, int32_t code, const char *reason) {
  cr_assert_eq(ctx, &told);
  cr_assert_lt(told.count, LEFT_OUT_MAX);
  cr_expect(reason && reason[0] != '\0');
  told.lines[told.count] = line;
  told.codes[told.count++] = code;
}

static int32_t record_in_any_order(const char *lines, struct kaizen_batch_result *result) {
  memset(&told, 0, sizeof told);
  return batch->record(instance, lines, KAIZEN_NTS, 0, KAIZEN_BATCH_ANY_ORDER, note, &told, result);
}

#define LINE(agent, session)                                                                       \
  "{\"agent\":\"" agent "\",\"success\":true,\"session_id\":\"" session "\"}\n"

static const char *sessions_of(const char *agent) {
  static char found[256];
  const char *at = text_of_file(agent_file(agent, "executions.jsonl"));

  found[0] = '\0';
  while ((at = strstr(at, "\"session_id\":\"")) != NULL) {
    at += strlen("\"session_id\":\"");
    (void)strncat(found, at, strcspn(at, "\""));
    (void)strcat(found, " ");
  }
  return found;
}

static int hold(const char *agent) {
  int lock = open(agent_file(agent, ".lock"), O_RDWR | O_CLOEXEC);

  cr_assert_eq(flock(lock, LOCK_EX), 0);
  return lock;
}

Test(plugin_order, the_lines_of_each_agent_keep_their_order) {
  static const char lines[] = LINE("b", "1") LINE("a", "2") "\n" LINE("b", "3") LINE("a", "4")
      LINE("c", "5") LINE("b", "6");
  struct kaizen_batch_result result = {.struct_size = sizeof result};

  use_instance("");
  cr_assert_eq(record_in_any_order(lines, &result), KAIZEN_OK);
  cr_assert_eq(result.lines, 6);
  cr_assert_eq(result.recorded, 6);
  cr_assert_eq(result.consumed, strlen(lines));
  cr_assert_eq(told.count, 0);
  cr_assert_str_eq(sessions_of("a"), "2 4 ");
  cr_assert_str_eq(sessions_of("b"), "1 3 6 ");
  cr_assert_str_eq(sessions_of("c"), "5 ");
}

Test(plugin_order, an_agent_that_is_locked_holds_no_other_one_up_and_each_of_its_lines_is_told) {
  static const char lines[] =
      LINE("a", "1") LINE("b", "2") "{}\n" LINE("c", "4") LINE("b", "5") LINE("a", "6");
  struct kaizen_batch_result result = {.struct_size = sizeof result};
  int lock;

  use_instance(",\"lock_timeout_ms\":20");
  cr_assert_eq(record_success(instance, "b", NULL), KAIZEN_RECORDED);
  lock = hold("b");
  cr_assert_eq(record_in_any_order(lines, &result), KAIZEN_E_BUSY);
  cr_assert(strstr(why(instance), "b"), "%s", why(instance));
  cr_assert_eq(result.consumed, strlen(lines));
  cr_assert_eq(result.recorded, 3);
  cr_assert_eq(result.rejected, 1);
  cr_assert_eq(result.lines, 4, "lines that were left out are not dealt with");
  cr_assert_eq(told.count, 3);
  cr_expect_eq(told.lines[0], 3, "the rejected one, as it is read");
  cr_expect_eq(told.codes[0], KAIZEN_E_REJECTED);
  for (unsigned i = 1; i < 3; i++) {
    cr_expect_eq(told.lines[i], i == 1 ? 2 : 5);
    cr_expect_eq(told.codes[i], KAIZEN_E_BUSY);
  }
  (void)close(lock);
  cr_assert_str_eq(sessions_of("a"), "1 6 ");
  cr_assert_eq(record_in_any_order(LINE("b", "2") LINE("b", "5"), &result), KAIZEN_OK);
  cr_assert_str_eq(sessions_of("b"), "2 5 ");
}

/* The lock is free again as soon as the first line is told. */
static void release(void *ctx, uint64_t line, int32_t code, const char *reason) {
  int *lock = ctx;

  (void)line;
  (void)reason;
  cr_expect_eq(code, KAIZEN_E_BUSY);
  if (*lock >= 0)
    (void)close(*lock);
  *lock = -1;
}

/* More of one agent than one call of the recorder carries: the later part is not tried. */
Test(plugin_order, no_line_comes_before_one_of_its_agent_that_failed) {
  enum { LINES = 3000 };
  struct kaizen_batch_result result = {.struct_size = sizeof result};
  char *lines = malloc(LINES * 200), *end = lines;
  uint64_t before;
  int lock;

  cr_assert(lines);
  for (int i = 0; i < LINES; i++)
    end += sprintf(end, "{\"agent\":\"b\",\"success\":true,\"session_id\":\"%0120d\"}\n", i);
  use_instance(",\"lock_timeout_ms\":20");
  cr_assert_eq(record_success(instance, "b", NULL), KAIZEN_RECORDED);
  before = stats_of(instance).recorded;
  lock = hold("b");
  cr_assert_eq(batch->record(instance, lines, KAIZEN_NTS, 0, KAIZEN_BATCH_ANY_ORDER, release, &lock,
                             &result),
               KAIZEN_E_BUSY);
  cr_assert_eq(stats_of(instance).recorded, before);
  cr_assert_eq(lines_of_file(agent_file("b", "executions.jsonl")), 1);
  free(lines);
}

Test(plugin_order, who_cannot_be_told_is_refused) {
  struct kaizen_batch_result result = {.struct_size = sizeof result};

  use_instance("");
  cr_assert_eq(batch->record(instance, LINE("a", "1"), KAIZEN_NTS, 0, KAIZEN_BATCH_ANY_ORDER, NULL,
                             NULL, &result),
               KAIZEN_E_ARGUMENT);
  cr_assert(strstr(why(instance), "KAIZEN_BATCH_ANY_ORDER"), "%s", why(instance));
}
