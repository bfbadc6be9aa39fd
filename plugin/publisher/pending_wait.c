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

struct awaited { /* an agent with pending events */
  struct awaited *next;
  uint64_t target; /* the cursor's count when they are all through */
  uint64_t seen;   /* the cursor's count at the last look */
  uint64_t epoch;  /* of .state: another means that somebody moved the cursor */
  bool counts;     /* .state goes by the log as it is, so its count can be compared */
  char name[AGENT_NAME_MAX + 1];
};

struct waiting {
  const struct project *project;
  struct awaited *agents;
  bool out_of_memory;
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

/* How many events of the agent are pending; the held ones are nobody's to wait for.  An agent whose
 * log is busy counts for one and is measured again; one that cannot be read is left out. */
static uint64_t measure(const struct project *project, const char *name, struct awaited *awaited) {
  struct agent_view view;
  struct agent_state stored;
  struct error error = {0};

  awaited->seen = 0;
  awaited->target = 1;
  awaited->counts = false;
  if (agent_view_read(project, name, &view, &error) != 0)
    return error.code == KAIZEN_E_BUSY || error.code == KAIZEN_E_NOMEM;
  if (view.pending <= view.held)
    return 0;
  awaited->seen = view.state.cursor.marked;
  awaited->target = view.state.cursor.marked + (view.pending - view.held);
  awaited->epoch = view.state.cursor.epoch;
  /* after a rewrite by others the view tells what the publisher has yet to find out */
  awaited->counts = load_state(project, name, &stored) == 0 &&
                    stored.cursor.epoch == awaited->epoch &&
                    stored.cursor.marked >= awaited->seen && stored.cursor.marked < awaited->target;
  return view.pending - view.held;
}

static int add_agent(void *ctx, const char *name) {
  struct waiting *waiting = ctx;
  struct awaited *added = calloc(1, sizeof *added);

  if (!added) {
    waiting->out_of_memory = true;
    return 0;
  }
  if (strlen(name) > AGENT_NAME_MAX || measure(waiting->project, name, added) == 0) {
    free(added);
    return 0;
  }
  memcpy(added->name, name, strlen(name) + 1);
  added->next = waiting->agents;
  waiting->agents = added;
  return 0;
}

/* How many are left.  Only .state is read, unless somebody moved the cursor or took lines out of
 * the log. */
static uint64_t left_of(const struct project *project, struct awaited *awaited) {
  struct agent_state state;

  if (!awaited->counts || load_state(project, awaited->name, &state) != 0 ||
      state.cursor.epoch != awaited->epoch || state.cursor.marked < awaited->seen)
    return measure(project, awaited->name, awaited);
  awaited->seen = state.cursor.marked;
  return awaited->target > state.cursor.marked ? awaited->target - state.cursor.marked : 0;
}

static uint64_t look_again(struct waiting *waiting) {
  struct awaited **at = &waiting->agents;
  uint64_t pending = 0;

  while (*at) {
    struct awaited *awaited = *at;
    uint64_t left = left_of(waiting->project, awaited);

    pending += left;
    if (left > 0) {
      at = &awaited->next;
      continue;
    }
    *at = awaited->next;
    free(awaited);
  }
  return pending;
}

int pending_wait(const struct project *project, int64_t deadline_ns, void (*hurry)(void *ctx),
                 void *ctx, uint64_t *pending) {
  struct waiting waiting = {.project = project};
  int64_t pause_ns = FIRST_PAUSE_NS, hurried_ns = clock_monotonic_ns();

  (void)project_each_agent(waiting.project, false, add_agent, &waiting, NULL);
  *pending = 0;
  for (struct awaited *at = waiting.agents; at; at = at->next)
    *pending += at->target - at->seen;
  if (*pending > 0)
    hurry(ctx);
  while (*pending > 0) {
    int64_t left_ns = deadline_ns - clock_monotonic_ns();

    if (left_ns <= 0)
      break;
    clock_pause_ns(pause_ns < left_ns ? pause_ns : left_ns);
    if (pause_ns < LONGEST_PAUSE_NS)
      pause_ns *= 2;
    *pending = look_again(&waiting);
    if (clock_monotonic_ns() >= hurried_ns + HURRY_NS) { /* back-offs grow meanwhile */
      hurried_ns = clock_monotonic_ns();
      hurry(ctx);
    }
  }
  while (waiting.agents) {
    struct awaited *next = waiting.agents->next;

    free(waiting.agents);
    waiting.agents = next;
  }
  return *pending > 0 || waiting.out_of_memory;
}
