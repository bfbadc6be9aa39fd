/* test_pending_wait.c - waiting for pending events looks only at what may have changed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "outbox_scene.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#include <kaizen/plugin.h>

#include "publisher/pending_wait.h"
#include "record/agent_name.h"

#define MANY_AGENTS 40
#define NS_PER_S INT64_C(1000000000)

static struct outbox_scene scene;
static struct pending_wait waiting;
static struct error error;
static _Atomic int64_t own_ns, look_lasts_ns;

/* Stands before the library's, for the plugin's code as well: a test that has a clock of its own
 * says how long each look at it lasts, so that the machine is as slow as the test needs it. */
int clock_gettime(clockid_t id, struct timespec *now) {
  int64_t ns;

  if (id != CLOCK_MONOTONIC || look_lasts_ns == 0)
    return (int)syscall(SYS_clock_gettime, id, now);
  ns = atomic_fetch_add(&own_ns, look_lasts_ns) + look_lasts_ns;
  *now = (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = (long)(ns % NS_PER_S)};
  return 0;
}

static void enter(void) {
  scene_enter(&scene);
  scene_make_at_rest(&scene, "done");
  scene_make_at_rest(&scene, "coach");
  scene_append(&scene, "coach", second_id);
}

static void leave(void) {
  pending_wait_end(&waiting);
  scene_leave(&scene);
}

TestSuite(pending_wait, .init = enter, .fini = leave);

static void begin(void) {
  pending_wait_begin(&waiting, &scene.project, NULL, INT64_MAX);
}

/* One look, without waiting. */
static int look(uint64_t *pending) {
  return pending_wait_on(&waiting, clock_monotonic_ns() + 1, NULL, NULL, pending, &error);
}

Test(pending_wait, goes_on_until_what_was_pending_is_through) {
  uint64_t pending;

  begin();
  cr_assert_eq(look(&pending), 1);
  cr_assert_eq(pending, 1);
  scene_acknowledge(&scene, "coach", second_id);
  cr_assert_eq(pending_wait_on(&waiting, INT64_MAX, NULL, NULL, &pending, &error), 0);
  cr_assert_eq(pending, 0);
}

Test(pending_wait, looks_at_no_agent_again_that_had_nothing_pending) {
  uint64_t pending;

  begin();
  cr_assert_eq(link(agent_file("done", AGENT_LOG_FILE), in_sandbox("backup")), 0);
  cr_assert_eq(
      pending_wait_on(&waiting, clock_monotonic_ns() + 20000000, NULL, NULL, &pending, &error), 1);
  cr_assert_eq(pending, 1);
  pending_wait_end(&waiting);
  begin();
  cr_assert_eq(look(&pending), -1, "a look at all of them sees that it cannot be read");
  cr_assert_eq(error.code, KAIZEN_E_IO);
}

static void make_many_agents(void) {
  char name[AGENT_NAME_MAX + 1];

  for (int i = 0; i < MANY_AGENTS; i++) {
    (void)snprintf(name, sizeof name, "agent-%d", i);
    scene_make_at_rest(&scene, name);
  }
}

Test(pending_wait, very_many_agents_are_counted_in_the_time_given_or_not_at_all) {
  uint64_t pending;

  make_many_agents();
  look_lasts_ns = 10000000;
  pending_wait_begin(&waiting, &scene.project, NULL, 0);
  cr_assert_eq(look(&pending), -1);
  cr_assert_eq(error.code, KAIZEN_E_BUSY);
  cr_assert(strstr(error.text, "more agents than can be counted in the given time"), "%s",
            error.text);
  pending_wait_end(&waiting);
  begin();
  cr_assert_eq(look(&pending), 1);
  cr_assert_eq(pending, 1);
}

Test(pending_wait, agents_are_counted_for_a_moment_where_no_time_is_given) {
  uint64_t pending;

  make_many_agents();
  look_lasts_ns = 1000;
  pending_wait_begin(&waiting, &scene.project, NULL, 0);
  cr_assert_eq(look(&pending), 1, "%s", error.text);
  cr_assert_eq(pending, 1);
}

Test(pending_wait, an_event_that_came_later_is_not_waited_for) {
  uint64_t pending;

  begin();
  scene_append(&scene, "done", second_id);
  scene_acknowledge(&scene, "coach", second_id);
  cr_assert_eq(pending_wait_on(&waiting, INT64_MAX, NULL, NULL, &pending, &error), 0);
}

static void count(void *ctx) {
  ++*(unsigned *)ctx;
}

Test(pending_wait, the_publisher_is_hurried_once_for_all_slices) {
  unsigned hurried = 0;
  uint64_t pending;
  int64_t end_ns;

  begin();
  end_ns = clock_monotonic_ns();
  for (int slice = 0; slice < 5; slice++)
    cr_assert_eq(pending_wait_on(&waiting, clock_monotonic_ns() + 1000000, count, &hurried,
                                 &pending, &error),
                 1);
  end_ns = clock_monotonic_ns() - end_ns;
  cr_assert_leq(hurried, 1 + (unsigned)(end_ns / INT64_C(1000000000)));
  cr_assert_geq(hurried, 1);
}
