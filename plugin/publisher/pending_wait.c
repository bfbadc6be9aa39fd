/* pending_wait.c - waiting until what the logs hold now is acknowledged, by whichever process.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/pending_wait.h"

#include <stdlib.h>
#include <string.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "record/agent_name.h"
#include "store/agent_state.h"
#include "store/agent_view.h"
#include "store/outbox_glance.h"

#define FIRST_PAUSE_NS INT64_C(200000)
#define LONGEST_PAUSE_NS INT64_C(5000000)
#define HURRY_NS INT64_C(1000000000)
/* For locks, whatever the deadline: a count that is asked for without waiting should not fail
 * because somebody is recording. */
#define LOCK_PATIENCE_NS INT64_C(50000000)
#define COUNT_PATIENCE_NS INT64_C(80000000) /* the same for counting */

struct awaited { /* an agent with pending events, or whose events are not known yet */
  struct awaited *next;
  uint64_t target; /* the cursor's count when all of them are done */
  uint64_t seen;   /* the cursor's count at the last look */
  uint64_t epoch;  /* of .state: a different one means that somebody moved the cursor */
  bool counts;     /* .state describes the log as it is, so its count can be compared */
  int32_t unknown; /* 0, or the code of the error that kept its log from being counted */
  char name[AGENT_NAME_MAX + 1];
};

/* ---- the first look at all of them ----------------------------------------------------------- */

static void note_unknown(struct pending_wait *wait, struct awaited *awaited, struct error *why) {
  awaited->unknown = why->code;
  error_prefix(why, "%s", awaited->name);
  *(why->code == KAIZEN_E_BUSY ? &wait->why_busy : &wait->why_unreadable) = *why;
}

/* How many events of the agent are pending; events held back are not waited for. */
static uint64_t measure(struct pending_wait *wait, int64_t lock_ns, struct awaited *awaited,
                        struct agent_view *view) {
  const struct agent_view_limits limits = {
      .lock_ns = lock_ns, .work_ns = wait->work_ns, .at_once = true};
  struct agent_state stored;
  struct error error = {0};
  int result = agent_view_read(wait->project, awaited->name, &limits, view, &error);

  awaited->seen = awaited->target = 0;
  awaited->counts = false;
  awaited->unknown = 0;
  if (result < 0)
    note_unknown(wait, awaited, &error);
  if (result != 0 || view->pending <= view->held)
    return 0;
  awaited->seen = view->state.cursor.marked;
  awaited->target = view->state.cursor.marked + (view->pending - view->held);
  awaited->epoch = view->state.cursor.epoch;
  /* after a rewrite by others the view shows what the publisher has not found yet */
  awaited->counts = outbox_glance_state(wait->project, awaited->name, &stored) == 0 &&
                    stored.cursor.epoch == awaited->epoch &&
                    stored.cursor.marked >= awaited->seen && stored.cursor.marked < awaited->target;
  return view->pending - view->held;
}

static void keep(struct pending_wait *wait, struct awaited *awaited, uint64_t left) {
  wait->pending += left;
  wait->busy += awaited->unknown == KAIZEN_E_BUSY;
  wait->unreadable += awaited->unknown != 0 && awaited->unknown != KAIZEN_E_BUSY;
}

struct first_look {
  struct pending_wait *wait;
  int64_t begin_ns;
  struct survey_walk settled;
};

static int look_at(void *ctx, const char *name) {
  struct first_look *look = ctx;
  struct pending_wait *wait = look->wait;
  struct settled_agent settled;
  struct agent_view view;
  struct awaited *added;
  uint64_t left;

  if (survey_memory_next(&look->settled, name, &settled))
    return 0;
  if (clock_monotonic_ns() >= wait->work_ns) {
    wait->cut_short = true;
    return 1;
  }
  added = calloc(1, sizeof *added);
  if (!added)
    return error_set(&wait->why_unreadable, KAIZEN_E_NOMEM, "out of memory");
  memcpy(added->name, name, strlen(name) + 1); /* the grammar bounds it */
  left = measure(wait, 0, added, &view);
  if (left == 0 && added->unknown == 0) {
    survey_memory_keep(&look->settled, name, &view);
    free(added);
    return 0;
  }
  keep(wait, added, left);
  if (added->unknown == KAIZEN_E_BUSY &&
      !(wait->memory && survey_memory_was_in_vain(wait->memory, name)))
    wait->patience_ns = look->begin_ns + LOCK_PATIENCE_NS;
  added->next = wait->agents;
  wait->agents = added;
  return 0;
}

static int64_t later_of(int64_t a, int64_t b) {
  return a > b ? a : b;
}

void pending_wait_begin(struct pending_wait *wait, const struct project *project,
                        struct survey_memory *memory, int64_t work_ns) {
  int64_t now_ns = clock_monotonic_ns();
  struct first_look look = {.wait = wait, .begin_ns = now_ns};

  *wait = (struct pending_wait){.project = project,
                                .memory = memory,
                                .work_ns = later_of(work_ns, now_ns + COUNT_PATIENCE_NS),
                                .pause_ns = FIRST_PAUSE_NS,
                                .hurried_ns = now_ns - HURRY_NS};
  survey_memory_begin(&look.settled, memory, project);
  wait->failed = project_each_agent(project, false, look_at, &look, &wait->why_unreadable) < 0;
  survey_memory_end(&look.settled);
}

/* ---- and again ------------------------------------------------------------------------------- */

/* A share of the time left for locks, so that one busy lock does not hide other agents. */
static int64_t lock_share(const struct pending_wait *wait, int64_t lock_ns) {
  int64_t now_ns = clock_monotonic_ns(), left_ns = lock_ns - now_ns;

  return left_ns <= 0 ? now_ns : now_ns + left_ns / (wait->busy > 0 ? wait->busy : 1);
}

/* How many are left.  Only .state is read, unless somebody moved the cursor or took lines out of
 * the log. */
static uint64_t left_of(struct pending_wait *wait, int64_t lock_ns, struct awaited *awaited) {
  struct agent_state state;
  struct agent_view view;

  if (awaited->unknown != 0 && awaited->unknown != KAIZEN_E_BUSY)
    return 0;
  if (!awaited->counts || outbox_glance_state(wait->project, awaited->name, &state) != 0 ||
      state.cursor.epoch != awaited->epoch || state.cursor.marked < awaited->seen)
    return measure(wait, lock_share(wait, lock_ns), awaited, &view);
  awaited->seen = state.cursor.marked;
  return awaited->target > state.cursor.marked ? awaited->target - state.cursor.marked : 0;
}

static void look_again(struct pending_wait *wait, int64_t lock_ns) {
  struct awaited **at = &wait->agents;
  uint64_t pending = 0;
  unsigned busy = 0, unreadable = 0;

  while (*at) {
    struct awaited *awaited = *at;
    uint64_t left = left_of(wait, lock_ns, awaited);

    pending += left;
    if (left > 0 || awaited->unknown != 0) {
      busy += awaited->unknown == KAIZEN_E_BUSY;
      unreadable += awaited->unknown != 0 && awaited->unknown != KAIZEN_E_BUSY;
      at = &awaited->next;
      continue;
    }
    *at = awaited->next;
    free(awaited);
  }
  wait->pending = pending;
  wait->busy = busy;
  wait->unreadable = unreadable;
}

static int answer(const struct pending_wait *wait, struct error *error) {
  if (wait->failed || wait->unreadable > 0)
    *error = wait->why_unreadable;
  else if (wait->busy > 0)
    *error = wait->why_busy;
  else if (wait->cut_short)
    return error_set(error, KAIZEN_E_BUSY,
                     "the project has more agents than can be counted in the given time");
  else
    return wait->pending > 0;
  return -1;
}

int pending_wait_on(struct pending_wait *wait, int64_t until_ns, void (*hurry)(void *ctx),
                    void *ctx, uint64_t *pending, struct error *error) {
  int64_t lock_ns = later_of(until_ns, wait->patience_ns);

  while (!wait->failed && !wait->cut_short && (wait->pending > 0 || wait->busy > 0)) {
    int64_t now_ns = clock_monotonic_ns(), left_ns = (wait->busy > 0 ? lock_ns : until_ns) - now_ns;

    if (left_ns <= 0)
      break;
    if (hurry && wait->pending > 0 && now_ns >= wait->hurried_ns + HURRY_NS) {
      wait->hurried_ns = now_ns; /* back-offs grow meanwhile */
      hurry(ctx);
    }
    clock_pause_ns(wait->pause_ns < left_ns ? wait->pause_ns : left_ns);
    if (wait->pause_ns < LONGEST_PAUSE_NS)
      wait->pause_ns *= 2;
    look_again(wait, lock_ns);
  }
  for (const struct awaited *at = wait->memory ? wait->agents : NULL; at; at = at->next)
    if (at->unknown == KAIZEN_E_BUSY)
      survey_memory_waited_in_vain(wait->memory, at->name);
  *pending = wait->pending;
  return answer(wait, error);
}

void pending_wait_end(struct pending_wait *wait) {
  while (wait->agents) {
    struct awaited *next = wait->agents->next;

    free(wait->agents);
    wait->agents = next;
  }
}
