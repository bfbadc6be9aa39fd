/* pending_wait.c - waiting until what the logs hold now is acknowledged, by whichever process.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/pending_wait.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "record/agent_name.h"
#include "store/agent_state.h"
#include "store/agent_view.h"

#define FIRST_PAUSE_NS INT64_C(200000)
#define LONGEST_PAUSE_NS INT64_C(5000000)
#define HURRY_NS INT64_C(1000000000)
/* For locks, whatever the deadline: a count that is asked for without waiting should not fail
 * because somebody is recording. */
#define LOCK_PATIENCE_NS INT64_C(50000000)
#define COUNT_PATIENCE_NS INT64_C(80000000) /* the same for counting */

enum { TOO_MANY = 1 }; /* agents: there is no time to look at each of them */

struct awaited { /* an agent with pending events, or whose events are not known yet */
  struct awaited *next;
  uint64_t target; /* the cursor's count when all of them are done */
  uint64_t seen;   /* the cursor's count at the last look */
  uint64_t epoch;  /* of .state: a different one means that somebody moved the cursor */
  bool counts;     /* .state describes the log as it is, so its count can be compared */
  int32_t unknown; /* 0, or the code of the error that kept its log from being counted */
  char name[AGENT_NAME_MAX + 1];
};

struct waiting {
  const struct project *project;
  struct awaited *agents;
  int64_t deadline_ns, lock_deadline_ns, work_deadline_ns;
  uint64_t pending;
  unsigned busy, unreadable; /* agents: to be tried again; that cannot be read at all */
  struct error why_busy, why_unreadable;
};

static int load_state(const struct project *project, const char *name, struct agent_state *state) {
  bool damaged;
  int fd, result = project_agent_folder(project, name, false, &fd, NULL);

  if (result != 0)
    return result;
  result = agent_state_load(fd, state, &damaged, NULL);
  (void)close(fd);
  return result;
}

/* How many events of the agent are pending; events held back are not waited for. */
static uint64_t measure(struct waiting *waiting, int64_t lock_deadline_ns,
                        struct awaited *awaited) {
  const struct agent_view_limits limits = {.lock_ns = lock_deadline_ns,
                                           .work_ns = waiting->work_deadline_ns};
  struct agent_view view;
  struct agent_state stored;
  struct error error = {0};
  int result = agent_view_read(waiting->project, awaited->name, &limits, &view, &error);

  awaited->seen = awaited->target = 0;
  awaited->counts = false;
  awaited->unknown = result < 0 ? error.code : 0;
  if (result < 0) {
    error_prefix(&error, "%s", awaited->name);
    *(error.code == KAIZEN_E_BUSY ? &waiting->why_busy : &waiting->why_unreadable) = error;
  }
  if (result != 0 || view.pending <= view.held)
    return 0;
  awaited->seen = view.state.cursor.marked;
  awaited->target = view.state.cursor.marked + (view.pending - view.held);
  awaited->epoch = view.state.cursor.epoch;
  /* after a rewrite by others the view shows what the publisher has not found yet */
  awaited->counts = load_state(waiting->project, awaited->name, &stored) == 0 &&
                    stored.cursor.epoch == awaited->epoch &&
                    stored.cursor.marked >= awaited->seen && stored.cursor.marked < awaited->target;
  return view.pending - view.held;
}

static int add_agent(void *ctx, const char *name) {
  struct waiting *waiting = ctx;
  struct awaited *added = calloc(1, sizeof *added);
  uint64_t left;

  if (clock_monotonic_ns() >= waiting->work_deadline_ns) {
    free(added);
    return TOO_MANY;
  }
  if (!added)
    return error_set(&waiting->why_unreadable, KAIZEN_E_NOMEM, "out of memory");
  memcpy(added->name, name, strlen(name) + 1); /* the grammar bounds it */
  left = measure(waiting, 0, added);
  if (left == 0 && added->unknown == 0) {
    free(added);
    return 0;
  }
  waiting->pending += left;
  waiting->busy += added->unknown == KAIZEN_E_BUSY;
  waiting->unreadable += added->unknown != 0 && added->unknown != KAIZEN_E_BUSY;
  added->next = waiting->agents;
  waiting->agents = added;
  return 0;
}

/* A share of the time left for locks, so that one busy lock does not hide other agents. */
static int64_t lock_share(const struct waiting *waiting) {
  int64_t now_ns = clock_monotonic_ns(), left_ns = waiting->lock_deadline_ns - now_ns;

  return left_ns <= 0 ? now_ns : now_ns + left_ns / (waiting->busy > 0 ? waiting->busy : 1);
}

/* How many are left.  Only .state is read, unless somebody moved the cursor or took lines out of
 * the log. */
static uint64_t left_of(struct waiting *waiting, struct awaited *awaited) {
  struct agent_state state;

  if (awaited->unknown != 0 && awaited->unknown != KAIZEN_E_BUSY)
    return 0;
  if (!awaited->counts || load_state(waiting->project, awaited->name, &state) != 0 ||
      state.cursor.epoch != awaited->epoch || state.cursor.marked < awaited->seen)
    return measure(waiting, lock_share(waiting), awaited);
  awaited->seen = state.cursor.marked;
  return awaited->target > state.cursor.marked ? awaited->target - state.cursor.marked : 0;
}

static void look_again(struct waiting *waiting) {
  struct awaited **at = &waiting->agents;
  unsigned busy = 0, unreadable = 0;

  waiting->pending = 0;
  while (*at) {
    struct awaited *awaited = *at;
    uint64_t left = left_of(waiting, awaited);

    waiting->pending += left;
    if (left > 0 || awaited->unknown != 0) {
      busy += awaited->unknown == KAIZEN_E_BUSY;
      unreadable += awaited->unknown != 0 && awaited->unknown != KAIZEN_E_BUSY;
      at = &awaited->next;
      continue;
    }
    *at = awaited->next;
    free(awaited);
  }
  waiting->busy = busy;
  waiting->unreadable = unreadable;
}

/* Something is left that waiting can change. */
static bool may_change(const struct waiting *waiting) {
  int64_t now_ns = clock_monotonic_ns();

  return (waiting->pending > 0 && now_ns < waiting->deadline_ns) ||
         (waiting->busy > 0 && now_ns < waiting->lock_deadline_ns);
}

static int64_t later_of(int64_t a, int64_t b) {
  return a > b ? a : b;
}

int pending_wait(const struct project *project, const struct pending_wait_limits *limits,
                 void (*hurry)(void *ctx), void *ctx, uint64_t *pending, struct error *error) {
  int64_t hurried_ns = clock_monotonic_ns(), patience_ns = hurried_ns + LOCK_PATIENCE_NS;
  int64_t pause_ns = FIRST_PAUSE_NS;
  struct waiting waiting = {.project = project,
                            .deadline_ns = limits->wait_ns,
                            .lock_deadline_ns = later_of(limits->wait_ns, patience_ns),
                            .work_deadline_ns =
                                later_of(limits->work_ns, hurried_ns + COUNT_PATIENCE_NS)};
  int result = project_each_agent(project, false, add_agent, &waiting, &waiting.why_unreadable);

  if (result == 0 && waiting.pending > 0 && hurry)
    hurry(ctx);
  while (result == 0 && may_change(&waiting)) {
    int64_t left_ns = waiting.lock_deadline_ns - clock_monotonic_ns();

    clock_pause_ns(pause_ns < left_ns ? pause_ns : left_ns);
    if (pause_ns < LONGEST_PAUSE_NS)
      pause_ns *= 2;
    look_again(&waiting);
    if (hurry && waiting.pending > 0 && clock_monotonic_ns() >= hurried_ns + HURRY_NS) {
      hurried_ns = clock_monotonic_ns(); /* back-offs grow meanwhile */
      hurry(ctx);
    }
  }
  *pending = waiting.pending;
  if (result < 0 || waiting.unreadable > 0)
    *error = waiting.why_unreadable;
  else if (waiting.busy > 0)
    *error = waiting.why_busy;
  else if (result == TOO_MANY)
    (void)error_set(error, KAIZEN_E_BUSY,
                    "the project has more agents than can be counted in the given time");
  if (result == TOO_MANY)
    result = -1;
  if (waiting.busy > 0 || waiting.unreadable > 0)
    result = -1;
  while (waiting.agents) {
    struct awaited *next = waiting.agents->next;

    free(waiting.agents);
    waiting.agents = next;
  }
  return result < 0 ? -1 : *pending > 0;
}
