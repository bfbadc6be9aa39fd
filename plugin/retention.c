/* retention.c - takes expired lines out of an agent's log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The clock it goes by is its own, kept in .state: it never runs faster than two days a prune, so
 * that a host whose clock stands at 2099 for a minute does not empty the log (invariants, schedule
 * 7). */
#include "retention.h"

#include <string.h>

#include <kaizen/plugin.h>

#include "agent.h"
#include "agent_state.h"
#include "base/clock.h"
#include "base/line_reader.h"
#include "rewrite.h"

#define CLOCK_STEP_MAX_S (2 * RETENTION_INTERVAL_S)
#define WORTH_IT 16 /* at least one part in so many must have expired */
#define NS_PER_MS INT64_C(1000000)

struct prune {
  struct agent agent;
  struct agent_state state;
  bool sync;
  int64_t lock_timeout_ms, cutoff_s;
  uint64_t end;            /* the committed prefix that is filtered */
  uint64_t protected_from; /* marked lines from here on stay */
};

static int acquire(struct prune *prune, struct error *error) {
  int result = agent_acquire(&prune->agent,
                             clock_monotonic_ns() + prune->lock_timeout_ms * NS_PER_MS, error);

  return result == 1 ? error_set(error, KAIZEN_E_BUSY, "the lock was not free") : result;
}

static int64_t step_clock(int64_t clock_s, int64_t newest_s, int64_t now_s) {
  int64_t next_s = clock_s == 0 ? newest_s : clock_s + CLOCK_STEP_MAX_S;

  return now_s < next_s ? now_s : next_s;
}

/* Lock held.  1 when it is time; the day then is taken, so that no other process prunes too. */
static int take_the_day(struct prune *prune, int64_t retention_days, int64_t now_s,
                        struct error *error) {
  struct agent *agent = &prune->agent;
  struct agent_state *state = &prune->state;
  unsigned char id[PROJECT_ID_SIZE];
  int64_t clock_s;
  bool changed;

  if (project_identity(agent->project, id, error) != 0 ||
      agent_state_claim(agent->fd, id, &agent->fold, prune->sync, state, &changed, error) != 0)
    return -1;
  clock_s = step_clock(state->retention_clock_s, agent->fold.last_execution_s, now_s);
  if (clock_s <= state->retention_clock_s || clock_s < state->last_prune_s + RETENTION_INTERVAL_S)
    return 0;
  state->retention_clock_s = state->last_prune_s = clock_s;
  if (agent_state_store(agent->fd, state, prune->sync, error) != 0)
    return -1;
  prune->cutoff_s = clock_s - retention_days * RETENTION_INTERVAL_S;
  prune->end = agent->anchor.end;
  return agent->fold.oldest_s < prune->cutoff_s;
}

/* The cursor's own line stays: it is how the cursor is found again. */
static int is_expired(void *ctx, const struct line *line, const struct record *record,
                      struct error *error) {
  const struct prune *prune = ctx;

  (void)error;
  if (!record || record->timestamp_s < 0 || record->timestamp_s >= prune->cutoff_s ||
      line->offset >= prune->end)
    return 0;
  if (!record->marked)
    return 1;
  return line->offset < prune->protected_from &&
         !rewrite_carries_id(record, prune->state.recent[0]);
}

/* One pass: where the protected lines begin, by the ids in .state (its offsets are hints only). */
static int find_protected(struct prune *prune, struct error *error) {
  static const unsigned char zero[16];
  const struct agent_state *state = &prune->state;
  const unsigned char *id = state->held_count > 0 ? state->held_from_id : state->recent[0];
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  if ((state->held_count == 0 && state->recent_count == 0) || memcmp(id, zero, sizeof zero) == 0)
    return 0;
  line_reader_init(&reader, prune->agent.log.fd, 0, prune->end);
  while ((result = line_reader_next(&reader, &line, error)) == 1)
    if (!line.too_long && record_read(line.text, &record, NULL) == RECORD_OK &&
        rewrite_carries_id(&record, id))
      prune->protected_from = line.end;
  line_reader_fini(&reader);
  return result;
}

/* 1 when enough has expired to be worth writing the log anew. */
static int is_worth_it(struct prune *prune, struct error *error) {
  uint64_t expired_bytes = 0;
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  if (find_protected(prune, error) != 0)
    return -1;
  line_reader_init(&reader, prune->agent.log.fd, 0, prune->end);
  while ((result = line_reader_next(&reader, &line, error)) == 1)
    if (!line.too_long && record_read(line.text, &record, NULL) == RECORD_OK &&
        is_expired(prune, &line, &record, NULL))
      expired_bytes += line.end - line.offset;
  line_reader_fini(&reader);
  return result < 0 ? -1 : expired_bytes * WORTH_IT >= prune->end;
}

/* The prefix without the lock, what came meanwhile and the change of names with it. */
static int rewrite_log(struct prune *prune, uint64_t *dropped, struct error *error) {
  struct agent *agent = &prune->agent;
  struct rewrite rewrite = {.agent = agent,
                            .state = prune->state,
                            .has_state = true,
                            .sync = prune->sync,
                            .leave_out = is_expired,
                            .ctx = prune};
  ino_t inode = agent->log.inode;
  uint64_t rebuilt = agent->rebuilt;
  int result = rewrite_begin(&rewrite, error);

  if (result == 0)
    result = rewrite_copy(&rewrite, 0, prune->end, error);
  if (result == 0)
    result = acquire(prune, error);
  if (result == 0) {
    if (agent->log.inode != inode || agent->rebuilt != rebuilt || agent->anchor.end < prune->end)
      result = error_set(error, KAIZEN_E_BUSY, "another program rewrote the log meanwhile");
    if (result == 0)
      result = rewrite_copy(&rewrite, prune->end, agent->anchor.end, error);
    if (result == 0)
      result = rewrite_finish(&rewrite, error);
    agent_release(agent);
  }
  rewrite_end(&rewrite);
  *dropped = rewrite.dropped;
  return result == 0 ? 0 : -1;
}

int retention_prune(const struct project *project, const char *agent, int64_t retention_days,
                    int64_t now_s, int64_t lock_timeout_ms, bool sync, uint64_t *dropped,
                    struct error *error) {
  struct prune prune = {.sync = sync, .lock_timeout_ms = lock_timeout_ms};
  int result;

  *dropped = 0;
  agent_init(&prune.agent, project, agent);
  result = acquire(&prune, error);
  if (result == 0) {
    result = take_the_day(&prune, retention_days, now_s, error);
    agent_release(&prune.agent);
  }
  if (result == 1)
    result = is_worth_it(&prune, error);
  if (result == 1)
    result = rewrite_log(&prune, dropped, error) == 0 ? 1 : -1;
  agent_close(&prune.agent);
  return result;
}
