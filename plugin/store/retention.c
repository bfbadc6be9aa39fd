/* retention.c - takes expired lines out of an agent's log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The clock it goes by is its own, kept in .state: it never runs faster than two days a prune, so
 * that a host whose clock stands at 2099 for a minute does not empty the log
 * (docs/format.md, "Retention"). */
#include "store/retention.h"

#include <string.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/line_reader.h"
#include "store/agent.h"
#include "store/agent_state.h"
#include "store/dropped_names.h"
#include "store/rewrite.h"

#define CLOCK_STEP_MAX_S (2 * RETENTION_INTERVAL_S)
#define WORTH_IT 16 /* at least one part in so many must have expired */

struct prune {
  struct agent agent;
  struct agent_state state;
  bool sync;
  int64_t *wait_ns; /* what is left to wait for the lock */
  int64_t cutoff_s;
  struct log_anchor anchor; /* the end of the committed prefix that is filtered */
  uint64_t protected_from;  /* marked lines from here on stay */
  bool has_amendments;
  struct dropped_names dropped; /* kept only where there are amendments */
};

static int acquire(struct prune *prune, struct error *error) {
  int64_t begin_ns = clock_monotonic_ns();
  int result = agent_acquire(&prune->agent, begin_ns + *prune->wait_ns, error);

  *prune->wait_ns -= clock_monotonic_ns() - begin_ns;
  return result == 1 ? error_set(error, KAIZEN_E_BUSY, "the lock was not free") : result;
}

/* One look at the wall clock.  A reading counts when it is a day after the one before it, and
 * begins the day anew when it is earlier.  The retention clock starts at the earlier of the first
 * two that count, and follows two days a step: however often it is looked at, a wrong clock costs
 * one step. 1: it may have moved; 0: it is too early; *changed: the state is to be stored. */
static int step_clock(struct agent_state *state, int64_t now_s, bool *changed) {
  int64_t clock_s = state->retention_clock_s, limit_s;

  *changed = false;
  if (now_s <= 0 ||
      (now_s >= state->retention_read_s && now_s < state->retention_read_s + RETENTION_INTERVAL_S))
    return 0;
  *changed = true;
  if (state->retention_read_s == 0 || now_s < state->retention_read_s) {
    state->retention_read_s = now_s;
    return 0;
  }
  limit_s = (clock_s ? clock_s : state->retention_read_s) + CLOCK_STEP_MAX_S;
  state->retention_read_s = now_s;
  if (now_s > clock_s)
    state->retention_clock_s = now_s < limit_s ? now_s : limit_s;
  return 1;
}

/* Lock held.  1 when it is time; the day then is taken, so that no other process prunes too. */
static int take_the_day(struct prune *prune, int64_t retention_days, int64_t now_s,
                        struct error *error) {
  struct agent *agent = &prune->agent;
  struct agent_state *state = &prune->state;
  unsigned char id[PROJECT_ID_SIZE];
  bool changed;
  int due;

  if (project_identity(agent->project, id, error) != 0 ||
      agent_state_claim(agent->fd, id, &agent->fold, prune->sync, state, &changed, error) != 0)
    return -1;
  due = step_clock(state, now_s, &changed);
  if (changed && agent_state_store(agent->fd, state, prune->sync, error) != 0)
    return -1;
  prune->cutoff_s = state->retention_clock_s - retention_days * RETENTION_INTERVAL_S;
  prune->anchor = agent->anchor;
  return due && agent->fold.oldest_s < prune->cutoff_s;
}

/* An amendment goes with the record that it names. */
static bool amends_a_dropped_one(const struct prune *prune, const struct line *line) {
  struct record amendment;

  return prune->has_amendments && !line->too_long &&
         record_read(line->text, &amendment, NULL) == RECORD_AMENDMENT &&
         dropped_names_has(&prune->dropped, amendment.amends);
}

/* The cursor's own line stays: it is how the cursor is found again. */
static bool is_expired(const struct prune *prune, const struct line *line,
                       const struct record *record) {
  if (record->timestamp_s < 0 || record->timestamp_s >= prune->cutoff_s ||
      line->offset >= prune->anchor.end)
    return false;
  if (!record->marked)
    return true;
  return line->offset < prune->protected_from &&
         !rewrite_carries_id(record, prune->state.cursor.recent[0]);
}

static int leave_out(void *ctx, const struct line *line, const struct record *record,
                     struct error *error) {
  struct prune *prune = ctx;

  (void)error;
  if (!record)
    return amends_a_dropped_one(prune, line);
  if (!is_expired(prune, line, record))
    return 0;
  if (prune->has_amendments)
    dropped_names_add(&prune->dropped, record);
  return 1;
}

/* One pass: where the protected lines begin, by the ids in .state (its offsets are hints only). */
static int find_protected(struct prune *prune, struct error *error) {
  static const unsigned char zero[16];
  const struct cursor *cursor = &prune->state.cursor;
  const unsigned char *id = cursor->held_count > 0 ? cursor->held_from_id : cursor_line_id(cursor);
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  if (memcmp(id, zero, sizeof zero) == 0)
    return 0;
  line_reader_init(&reader, prune->agent.log.fd, 0, prune->anchor.end);
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
  line_reader_init(&reader, prune->agent.log.fd, 0, prune->anchor.end);
  while ((result = line_reader_next(&reader, &line, error)) == 1) {
    enum record_kind kind = line.too_long ? RECORD_GARBAGE : record_read(line.text, &record, NULL);

    prune->has_amendments |= kind == RECORD_AMENDMENT;
    if (kind == RECORD_OK && is_expired(prune, &line, &record))
      expired_bytes += line.end - line.offset;
  }
  line_reader_fini(&reader);
  return result < 0 ? -1 : expired_bytes * WORTH_IT >= prune->anchor.end;
}

/* Lock held again: is the log still the one that was copied, and what may go still what may go? */
static int check_unchanged(struct prune *prune, ino_t inode, struct error *error) {
  struct agent *agent = &prune->agent;
  struct agent_state state;
  bool damaged;
  int same = agent->log.inode != inode || agent->anchor.end < prune->anchor.end
                 ? 1
                 : agent_log_check_anchor(&agent->log, &prune->anchor, error);

  if (same != 0)
    return same < 0 ? -1 : error_set(error, KAIZEN_E_BUSY, "another program rewrote the log");
  if (agent_state_load(agent->fd, &state, &damaged, error) != 0 ||
      state.cursor.epoch != prune->state.cursor.epoch)
    return error_set(error, KAIZEN_E_BUSY, "events were made pending again meanwhile");
  return 0;
}

/* The prefix without the lock, what came meanwhile and the change of names with it. */
static int rewrite_log(struct prune *prune, uint64_t *dropped, struct error *error) {
  struct agent *agent = &prune->agent;
  struct rewrite rewrite = {.agent = agent,
                            .state = prune->state,
                            .has_state = true,
                            .sync = prune->sync,
                            .leave_out = leave_out,
                            .ctx = prune};
  ino_t inode = agent->log.inode;
  int result = rewrite_begin(&rewrite, error);

  if (result == 0)
    result = rewrite_copy(&rewrite, 0, prune->anchor.end, error);
  if (result == 0)
    result = acquire(prune, error);
  if (result == 0) {
    result = check_unchanged(prune, inode, error);
    if (result == 0)
      result = rewrite_copy(&rewrite, prune->anchor.end, agent->anchor.end, error);
    if (result == 0)
      result = rewrite_finish(&rewrite, error);
    if (result == 0)
      agent_follow_rewrite(agent);
    agent_release(agent);
  }
  rewrite_end(&rewrite);
  *dropped = rewrite.dropped;
  return result == 0 ? 0 : -1;
}

int retention_prune(const struct project *project, const char *agent, int64_t retention_days,
                    int64_t now_s, int64_t *wait_ns, bool sync, uint64_t *dropped,
                    struct error *error) {
  struct prune prune = {.sync = sync, .wait_ns = wait_ns};
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
  dropped_names_fini(&prune.dropped);
  return result;
}
