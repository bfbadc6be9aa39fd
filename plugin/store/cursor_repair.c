/* cursor_repair.c - brings a cursor that contradicts the log in line with it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The log is read without the lock, as it may be long; the cursor is stored under it when neither
 * the log nor .state was replaced meanwhile.  Lines that were appended are after the cursor. */
#include "store/cursor_repair.h"

#include <string.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "store/agent_state.h"
#include "store/outbox.h"
#include "store/project_identity.h"

#define NS_PER_MS INT64_C(1000000)
#define TRIES 8 /* while somebody publishes, or replaces the files */

struct cursor_repair {
  const struct project *project;
  struct outbox outbox;
  int64_t lock_timeout_ms;
  bool sync;
  uint64_t held_back;
};

static int64_t deadline_of(const struct cursor_repair *repair) {
  return clock_monotonic_ns() + repair->lock_timeout_ms * NS_PER_MS;
}

static int refuse_busy(struct error *error) {
  return error_set(error, KAIZEN_E_BUSY, "the agent's lock was not free");
}

/* One of another tree is left: the next process that writes here holds its events back. */
static bool is_of_this_tree(const struct cursor_repair *repair, const struct agent_state *state) {
  unsigned char id[PROJECT_ID_SIZE];

  return project_identity_look(repair->project, id, NULL) == 0 &&
         memcmp(state->project_id, id, sizeof id) == 0;
}

/* 0; 1 it is not the state that was seen; -1. */
static int store(struct cursor_repair *repair, const struct agent_state *seen,
                 const struct cursor *cursor, struct error *error) {
  struct agent_state state;
  bool same_log;
  int result = outbox_lock_state(&repair->outbox, deadline_of(repair), &state, &same_log, error);

  if (result != OUTBOX_SEEN)
    return result < 0 ? -1 : result == OUTBOX_BUSY ? refuse_busy(error) : 1;
  if (!same_log || state.sequence != seen->sequence) {
    result = 1;
  } else {
    state.cursor = *cursor;
    result = agent_state_store(repair->outbox.agent_fd, &state, repair->sync, error);
  }
  agent_lock_release(&repair->outbox.lock);
  return result;
}

/* 0; 1 something changed meanwhile; -1. */
static int try_repair(struct cursor_repair *repair, struct error *error) {
  struct agent_state seen;
  struct cursor_search search;
  struct cursor cursor;
  bool has_state = false;
  uint64_t dead;
  int result = outbox_look(&repair->outbox, deadline_of(repair), &seen, &has_state, error);

  if (result == OUTBOX_BUSY)
    return refuse_busy(error);
  if (result < 0 || result == OUTBOX_GONE)
    return result < 0 ? -1 : 1;
  if (result == OUTBOX_EMPTY || !has_state || !is_of_this_tree(repair, &seen))
    return 0;
  if (cursor_check(&seen.cursor, NULL) != 0)
    seen.last_acknowledged_unix_ns = 0; /* not believed either: any line may have been sent */
  if (outbox_find(&repair->outbox, &seen, &search, error) != 0)
    return -1;
  if (cursor_search_judge(&search) == CURSOR_RIGHT)
    return 0;
  cursor = seen.cursor;
  if (cursor_settle_search(&cursor, &search, clock_wall_ns()) != 0)
    return error_set(error, KAIZEN_E_IO, "the cursor cannot follow the log");
  if (outbox_count_dead(&repair->outbox, &cursor, &dead, error) != 0)
    return -1;
  if (cursor_set_dead(&cursor, dead) != 0)
    return error_set(error, KAIZEN_E_IO, "more dead letters than events");
  result = store(repair, &seen, &cursor, error);
  if (result == 0)
    repair->held_back = cursor.held_count;
  return result;
}

int cursor_repair_agent(const struct project *project, const char *agent, int64_t lock_timeout_ms,
                        bool sync, uint64_t *held_back, struct error *error) {
  struct cursor_repair repair = {
      .project = project, .lock_timeout_ms = lock_timeout_ms, .sync = sync};
  int tries, result = 1;

  for (tries = 0; result > 0 && tries < TRIES; tries++) {
    result = outbox_open(&repair.outbox, project, agent, error);
    if (result != 0) /* 1: no folder */
      return result < 0 ? -1 : 0;
    result = try_repair(&repair, error);
    outbox_close(&repair.outbox);
  }
  *held_back = repair.held_back;
  if (result > 0)
    return error_set(error, KAIZEN_E_BUSY, AGENT_STATE_FILE ": others change it all the time");
  return result;
}
