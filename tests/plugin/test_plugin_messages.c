/* test_plugin_messages.c - what the plugin tells its host, and the clock it takes from it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

TestSuite(plugin_messages, .init = enter_plugin, .fini = leave_plugin);

static struct {
  atomic_uint count;
  pthread_t thread; /* the one that is inside a call */
  bool inside, outside_call, reenter;
  int32_t level, id;
  char text[512];
} heard;

static void hear(void *ctx, int32_t level, int32_t id, const char *text, size_t len) {
  heard.count++;
  heard.outside_call |= !heard.inside || !pthread_equal(heard.thread, pthread_self());
  heard.level = level;
  heard.id = id;
  (void)snprintf(heard.text, sizeof heard.text, "%.*s", (int)len, text);
  cr_assert_eq(ctx, &heard);
  cr_assert_eq(text[len], '\0');
  if (heard.reenter)
    (void)stats_of(instance);
}

static void use_listening_instance(uint32_t log_level) {
  struct kaizen_host_v1 host = plain_host();

  memset(&heard, 0, sizeof heard);
  heard.thread = pthread_self();
  host.ctx = &heard;
  host.log = hear;
  host.log_level = log_level;
  plugin->destroy(instance);
  instance = start_instance(&host, sandbox.root, ",\"delivery\":\"relay\"");
}

static int32_t call_inside(int32_t (*call)(void)) {
  int32_t code;

  heard.inside = true;
  code = call();
  heard.inside = false;
  return code;
}

static int32_t record_accepted(void) {
  return record_success(instance, "coach", NULL);
}

static int32_t record_garbage_before(void) {
  append_to_file(coach_log(), "garbage\n");
  return record_success(instance, "coach", NULL);
}

static int32_t record_rejected(void) {
  return record_success(instance, "not legal", NULL);
}

Test(plugin_messages, messages_come_inside_a_call_on_its_thread_with_no_lock_held) {
  use_listening_instance(KAIZEN_LOG_WARNING);
  cr_assert_eq(call_inside(record_accepted), KAIZEN_RECORDED);
  heard.reenter = true;
  cr_assert_eq(call_inside(record_garbage_before), KAIZEN_RECORDED);
  cr_assert_eq(heard.count, 1);
  cr_assert_eq(heard.level, KAIZEN_LOG_WARNING);
  cr_assert_eq(heard.id, 103);
  cr_assert(strstr(heard.text, "coach: lines skipped because they are not records: 1"), "%s",
            heard.text);
  cr_assert_not(heard.outside_call);
}

Test(plugin_messages, messages_below_the_hosts_level_are_not_made) {
  static const struct {
    uint32_t level;
    unsigned heard;
  } cases[] = {{0, 0},
               {KAIZEN_LOG_ERROR, 0},
               {KAIZEN_LOG_WARNING, 0},
               {KAIZEN_LOG_NOTICE, 1},
               {KAIZEN_LOG_DEBUG, 1}};

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    use_listening_instance(cases[i].level);
    cr_assert_eq(call_inside(record_rejected), KAIZEN_E_REJECTED);
    cr_expect_eq(heard.count, cases[i].heard, "level %u", cases[i].level);
  }
}

Test(plugin_messages, a_message_that_repeats_is_told_once_in_a_while) {
  use_listening_instance(KAIZEN_LOG_DEBUG);
  for (int i = 0; i < 100; i++)
    cr_assert_eq(call_inside(record_rejected), KAIZEN_E_REJECTED);
  cr_assert_eq(heard.count, 1);
  cr_assert_eq(call_inside(record_accepted), KAIZEN_RECORDED);
  cr_assert_eq(call_inside(record_garbage_before), KAIZEN_RECORDED);
  cr_assert_eq(heard.count, 2, "another message was kept back");
}

Test(plugin_messages, nothing_is_told_after_the_end) {
  unsigned count;

  use_listening_instance(KAIZEN_LOG_DEBUG);
  (void)call_inside(record_rejected);
  heard.inside = true;
  cr_assert_eq(plugin->stop(instance, 0), KAIZEN_OK);
  plugin->destroy(instance);
  instance = NULL;
  heard.inside = false;
  count = heard.count;
  cr_assert_eq(heard.count, count);
  cr_assert_not(heard.outside_call);
}

static int64_t half_past_1980(void *ctx) {
  (void)ctx;
  return INT64_C(331516800) * 1000000000;
}

Test(plugin_messages, the_hosts_clock_is_the_records_clock) {
  struct kaizen_host_v1 host = plain_host();

  host.now_unix_ns = half_past_1980;
  instance = start_instance(&host, sandbox.root, "");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert(strstr(text_of_file(coach_log()), "{\"timestamp\":\"1980-07-04T00:00:00Z\","), "%s",
            text_of_file(coach_log()));
}

static int64_t given_clock(void *ctx) {
  return *(const int64_t *)ctx;
}

Test(plugin_messages, clocks_far_from_now_cost_no_record) {
  static const struct {
    const char *name, *timestamp;
    int64_t now_ns;
  } clocks[] = {{"the beginning of time", "1970-01-01T00:00:00Z", 0},
                {"before it", "1970-01-01T00:00:00Z", -5},
                {"long before it", "1970-01-01T00:00:00Z", INT64_MIN},
                {"2038", "2038-01-19T03:14:08Z", INT64_C(2147483648999999999)},
                {"as far as it goes", "2262-04-11T23:47:16Z", INT64_MAX}};
  struct kaizen_host_v1 host = plain_host();
  int64_t now_ns = 0;

  host.now_unix_ns = given_clock;
  host.ctx = &now_ns;
  instance = start_instance(&host, sandbox.root, ",\"retention_days\":0");
  for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
    now_ns = clocks[i].now_ns;
    cr_expect_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED, "%s", clocks[i].name);
    cr_expect(strstr(text_of_file(coach_log()), clocks[i].timestamp), "%s: %s", clocks[i].name,
              text_of_file(coach_log()));
    cr_expect_eq(lines_of_file(coach_log()), i + 1, "%s", clocks[i].name);
  }
}
