/* test_agent_survey.c - all agents looked at within one deadline, and what the next look keeps.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "outbox_scene.h"

#include <sys/file.h>

#include <kaizen/plugin.h>

#include "store/agent_survey.h"

#define FOR_EVER INT64_MAX

enum { MANY = 300, ALWAYS_READ = 256, BEGUN_ANYWAY = 64 };

static struct outbox_scene scene;
static struct survey_memory memory;

struct seen {
  unsigned known, settled, unknown;
  uint64_t acknowledged, pending;
  struct error why;
};

static void enter(void) {
  scene_enter(&scene);
  survey_memory_init(&memory);
}

static void leave(void) {
  survey_memory_fini(&memory);
  scene_leave(&scene);
}

TestSuite(agent_survey, .init = enter, .fini = leave);

static void take_known(void *ctx, const char *agent, const struct agent_view *view) {
  struct seen *seen = ctx;

  (void)agent;
  seen->known++;
  seen->acknowledged += view->acknowledged;
  seen->pending += view->pending;
}

static void take_settled(void *ctx, const char *agent, const struct settled_agent *found) {
  struct seen *seen = ctx;

  (void)agent;
  seen->settled++;
  seen->acknowledged += found->acknowledged;
}

static void take_unknown(void *ctx, const char *agent, const struct error *why) {
  struct seen *seen = ctx;

  cr_assert(strstr(why->text, agent), "%s", why->text);
  seen->unknown++;
  seen->why = *why;
}

static struct seen run(int64_t lock_ns, int64_t begin_ns) {
  struct seen seen = {0};
  struct error error = {0};
  const struct agent_survey survey = {.project = &scene.project,
                                      .memory = &memory,
                                      .lock_ns = lock_ns,
                                      .read_ns = FOR_EVER,
                                      .begin_ns = begin_ns,
                                      .ctx = &seen,
                                      .known = take_known,
                                      .settled = take_settled,
                                      .unknown = take_unknown};

  cr_assert_eq(agent_survey_run(&survey, &error), 0, "%s", error.text);
  return seen;
}

static const char *name_of(unsigned agent) {
  static char name[32];

  (void)snprintf(name, sizeof name, "agent-%u", agent);
  return name;
}

static void make_old(const char *agent) {
  const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

  cr_assert_eq(utimensat(AT_FDCWD, agent_file(agent, AGENT_LOG_FILE), times, 0), 0);
  cr_assert_eq(utimensat(AT_FDCWD, agent_file(agent, AGENT_STATE_FILE), times, 0), 0);
}

/* With nothing pending, and nothing written for a while. */
static void make_settled(unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    scene_make_at_rest(&scene, name_of(i));
    make_old(name_of(i));
  }
}

Test(agent_survey, agents_that_are_not_reached_in_time_are_unknown) {
  struct seen seen;

  make_settled(MANY);
  seen = run(FOR_EVER, 0);
  cr_assert_eq(seen.known, BEGUN_ANYWAY, "a few are always read");
  cr_assert_eq(seen.unknown, MANY - BEGUN_ANYWAY);
  cr_assert(strstr(seen.why.text, "more agents than the time allows"), "%s", seen.why.text);
}

Test(agent_survey, an_agent_with_nothing_pending_is_known_without_reading_it_again) {
  struct seen seen;

  make_settled(MANY);
  seen = run(FOR_EVER, FOR_EVER);
  cr_assert_eq(seen.known, MANY);
  cr_assert_eq(seen.acknowledged, MANY);
  seen = run(FOR_EVER, FOR_EVER);
  cr_assert_eq(seen.known, ALWAYS_READ);
  cr_assert_eq(seen.settled, MANY - ALWAYS_READ);
  cr_assert_eq(seen.acknowledged, MANY);
}

Test(agent_survey, whatever_was_written_since_is_read) {
  struct seen seen;

  make_settled(MANY);
  (void)run(FOR_EVER, FOR_EVER);
  for (unsigned i = 0; i < MANY; i++)
    scene_append(&scene, name_of(i), second_id);
  seen = run(FOR_EVER, FOR_EVER);
  cr_assert_eq(seen.known, MANY);
  cr_assert_eq(seen.pending, MANY);
}

/* The time of a file goes in steps: another write within one of them leaves no trace in it. */
Test(agent_survey, an_agent_that_was_written_just_now_is_not_relied_on) {
  make_settled(MANY);
  for (unsigned i = 0; i < MANY; i++) {
    const struct timespec later[2] = {{.tv_sec = 4000000000}, {.tv_sec = 4000000000}};

    cr_assert_eq(utimensat(AT_FDCWD, agent_file(name_of(i), AGENT_STATE_FILE), later, 0), 0);
  }
  (void)run(FOR_EVER, FOR_EVER);
  cr_assert_eq(run(FOR_EVER, FOR_EVER).known, MANY);
}

Test(agent_survey, in_a_tree_with_another_id_nothing_is_settled) {
  struct seen seen;

  make_settled(MANY);
  (void)run(FOR_EVER, FOR_EVER);
  put_file(in_sandbox(".kaizen/metrics/.id"), "");
  cr_assert_eq(unlink(in_sandbox(".kaizen/metrics/.id")), 0);
  cr_assert_eq(project_identity(&scene.project, scene.id, NULL), 0);
  seen = run(FOR_EVER, FOR_EVER);
  cr_assert_eq(seen.known, MANY);
  cr_assert_eq(seen.pending, MANY, "held back");
}

/* Returns the lock, to be closed. */
static int keep_lock(const char *agent) {
  int fd = open(agent_file(agent, ".lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

  cr_assert_eq(flock(fd, LOCK_EX), 0);
  return fd;
}

Test(agent_survey, locks_that_are_held_hide_no_other_agent) {
  struct seen seen;
  int locks[3];

  make_settled(5);
  for (unsigned i = 0; i < 3; i++)
    locks[i] = keep_lock(name_of(i));
  seen = run(clock_monotonic_ns() + 30000000, FOR_EVER);
  cr_assert_eq(seen.known, 2);
  cr_assert_eq(seen.unknown, 3);
  cr_assert_eq(seen.why.code, KAIZEN_E_BUSY);
  cr_assert(strstr(seen.why.text, "lock was not free"), "%s", seen.why.text);
  for (unsigned i = 0; i < 3; i++)
    (void)close(locks[i]);
  cr_assert_eq(run(FOR_EVER, FOR_EVER).known, 5);
}

Test(agent_survey, who_waited_in_vain_only_tries_the_next_time) {
  const int64_t s = INT64_C(1000000000);
  int64_t before_ns, took_ns, patience_ns;
  struct seen seen;
  bool vain;
  int lock;

  make_settled(2);
  cr_assert_gt(survey_memory_patience(&memory, 3600 * s), clock_monotonic_ns() + 1800 * s);
  lock = keep_lock(name_of(0));
  do {
    before_ns = clock_monotonic_ns();
    cr_assert_eq(run(before_ns + 1000000, FOR_EVER).unknown, 1);
    patience_ns = survey_memory_patience(&memory, 3600 * s);
    vain = survey_memory_was_in_vain(&memory, name_of(0));
    took_ns = clock_monotonic_ns() - before_ns;
  } while (took_ns > s / 2); /* this process was put aside: again */
  cr_assert(vain);
  cr_assert_not(survey_memory_was_in_vain(&memory, name_of(1)));
  cr_assert_lt(patience_ns, before_ns + 2 * s);
  seen = run(clock_monotonic_ns() + 60 * s, FOR_EVER);
  cr_assert_eq(seen.unknown, 1);
  cr_assert_eq(seen.known, 1);
  (void)close(lock);
}

Test(agent_survey, of_many_busy_locks_none_is_waited_for_again) {
  int64_t before_ns;
  unsigned vain;

  do {
    before_ns = clock_monotonic_ns();
    vain = 0;
    for (unsigned i = 0; i < MANY; i++)
      survey_memory_waited_in_vain(&memory, name_of(i));
    for (unsigned i = 0; i < MANY; i++)
      vain += survey_memory_was_in_vain(&memory, name_of(i));
  } while (clock_monotonic_ns() > before_ns + INT64_C(500000000));
  cr_assert_eq(vain, MANY);
}
