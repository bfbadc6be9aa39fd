/* retention.c - removes expired lines from an agent's log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The clock it goes by is its own, kept in .state, so that a host whose clock stands at 2099 does
 * not empty the log (retention_clock.h; docs/format.md, "Retention"). */
#include "store/retention.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/line_reader.h"
#include "base/os_files.h"
#include "store/agent.h"
#include "store/agent_fold.h"
#include "store/agent_state.h"
#include "store/dropped_names.h"
#include "store/project_identity.h"
#include "store/rewrite.h"

#define NS_PER_S INT64_C(1000000000)
#define WORTH_IT 16 /* at least one part in so many must have expired */
#define INDEX_FOLDER ".index.new"
#define TAIL_BYTES (64u << 10) /* copied under the lock */
#define ROUNDS_MAX 8           /* while others record faster than it is copied */

struct prune {
  struct agent agent;
  struct agent_state state;
  bool sync;
  int64_t *wait_ns; /* what is left to wait for the lock */
  int64_t retention_days;
  const struct retention_look *look;
  const atomic_bool *give_up; /* NULL: nobody says so */
  int64_t cutoff_s;
  struct log_anchor anchor; /* the end of the committed prefix that is filtered */
  uint64_t protected_from;  /* marked lines from here on stay */
  bool has_amendments;
  struct dropped_names dropped; /* kept only where there are amendments */
};

static int acquire(struct prune *prune, struct error *error) {
  int64_t begin_ns = clock_monotonic_ns();
  int result = agent_fold_acquire(&prune->agent, begin_ns + *prune->wait_ns, error);

  *prune->wait_ns -= clock_monotonic_ns() - begin_ns;
  return result == 1 ? error_set(error, KAIZEN_E_BUSY, "the lock was not free") : result;
}

/* The retention clock's first value: the time of the log's first record, or the birth of its file
 * when that is later and the wall clock has reached it. */
static int64_t log_begin_s(const struct agent *agent, int64_t wall_s) {
  struct os_files_mark mark = {0};
  int64_t born_s;

  if (os_files_mark(agent->log.fd, &mark) != 0)
    return agent->fold.oldest_s;
  born_s = mark.birth_ns / NS_PER_S < wall_s ? mark.birth_ns / NS_PER_S : wall_s;
  return born_s > agent->fold.oldest_s ? born_s : agent->fold.oldest_s;
}

/* Lock held.  1 when it is time; then this process claims the day, so that no other prunes too. */
static int take_the_day(struct prune *prune, struct error *error) {
  const struct retention_look *look = prune->look;
  struct agent *agent = &prune->agent;
  struct agent_state *state = &prune->state;
  unsigned char id[PROJECT_ID_SIZE];
  bool changed, due;

  if (project_identity(agent->project, id, error) != 0 ||
      agent_state_claim(agent->fd, id, &agent->fold, prune->sync, state, &changed, error) != 0)
    return -1;
  due = retention_clock_look(&state->retention, look, log_begin_s(agent, look->wall_s), &changed);
  if (changed && agent_state_store(agent->fd, state, prune->sync, error) != 0)
    return -1;
  prune->anchor = agent->anchor;
  return due && agent->fold.oldest_s < look->wall_s - prune->retention_days * RETENTION_CLOCK_DAY_S;
}

/* 0, or -1 with *error when it was told to give up. */
static int go_on(const struct prune *prune, struct error *error) {
  if (prune->give_up && atomic_load(prune->give_up))
    return error_set(error, KAIZEN_E_BUSY, "the instance is ending; the next try is in a day");
  return 0;
}

/* An amendment goes with the record that it names. */
static bool amends_a_dropped_one(const struct prune *prune, const struct line *line) {
  struct record amendment;

  return prune->has_amendments && !line->too_long &&
         record_read(line->text, &amendment, NULL) == RECORD_AMENDMENT &&
         dropped_names_has(&prune->dropped, amendment.amends);
}

/* The cursor's own line stays: it is needed to find the cursor again. */
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

/* One pass: how far the log's own days move the clock, and where the protected lines begin, by the
 * ids in .state (its offsets are only hints). */
static int survey(struct prune *prune, struct error *error) {
  static const unsigned char zero[16];
  const struct cursor *cursor = &prune->state.cursor;
  const unsigned char *id = cursor->held_count > 0 ? cursor->held_from_id : cursor_line_id(cursor);
  bool has_id = memcmp(id, zero, sizeof zero) != 0;
  struct retention_clock_days days;
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  retention_clock_days_begin(&days, &prune->state.retention);
  line_reader_init(&reader, prune->agent.log.fd, 0, prune->anchor.end);
  while ((result = line_reader_next(&reader, &line, error)) == 1) {
    if ((result = go_on(prune, error)) != 0)
      break;
    if (line.too_long || record_read(line.text, &record, NULL) != RECORD_OK)
      continue;
    retention_clock_days_add(&days, record.timestamp_s);
    if (has_id && rewrite_carries_id(&record, id))
      prune->protected_from = line.end;
  }
  line_reader_fini(&reader);
  retention_clock_follow_days(&prune->state.retention, &days);
  prune->cutoff_s =
      retention_clock_cutoff_s(&prune->state.retention, prune->look, prune->retention_days);
  return result;
}

/* 1 when enough has expired to be worth rewriting the log, and not so much that more evidence is
 * needed. */
static int is_worth_it(struct prune *prune, struct error *error) {
  uint64_t expired_bytes = 0, expired = 0, records = 0;
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  if (survey(prune, error) != 0)
    return -1;
  line_reader_init(&reader, prune->agent.log.fd, 0, prune->anchor.end);
  while ((result = line_reader_next(&reader, &line, error)) == 1) {
    enum record_kind kind = line.too_long ? RECORD_GARBAGE : record_read(line.text, &record, NULL);

    if ((result = go_on(prune, error)) != 0)
      break;
    prune->has_amendments |= kind == RECORD_AMENDMENT;
    records += kind == RECORD_OK;
    if (kind == RECORD_OK && is_expired(prune, &line, &record)) {
      expired++;
      expired_bytes += line.end - line.offset;
    }
  }
  line_reader_fini(&reader);
  if (result < 0)
    return -1;
  return expired > 0 && expired_bytes * WORTH_IT >= prune->anchor.end &&
         (expired <= records / 2 || retention_clock_is_sure(&prune->state.retention));
}

/* Lock held again: is the log up to that place still the one that was copied, and may the same
 * lines still be removed? */
static int check_unchanged(struct prune *prune, ino_t inode, const struct log_anchor *copied,
                           struct error *error) {
  struct agent *agent = &prune->agent;
  struct retention_clock *clock;
  struct agent_state state;
  bool damaged;
  int same = agent->log.inode != inode || agent->anchor.end < copied->end
                 ? 1
                 : agent_log_check_anchor(&agent->log, copied, error);

  if (same != 0)
    return same < 0 ? -1 : error_set(error, KAIZEN_E_BUSY, "another program rewrote the log");
  if (agent_state_load(agent->fd, &state, &damaged, error) != 0 ||
      state.cursor.epoch != prune->state.cursor.epoch)
    return error_set(error, KAIZEN_E_BUSY, "events were made pending again in the meantime");
  /* the days that moved the clock are removed with their lines */
  clock = &state.retention;
  if (clock->clock_s >= prune->state.retention.clock_s)
    return 0;
  clock->clock_s = prune->state.retention.clock_s;
  return agent_state_store(agent->fd, &state, prune->sync, error);
}

/* ---- the new log, and its index, beside the old one ------------------------------------------ */

struct successor {
  struct rewrite rewrite;
  struct agent beside;
  int folder_fd; /* of the index; -1: not there */
  struct prune *prune;
};

static int leave_out(void *ctx, const struct line *line, const struct record *record,
                     struct error *error) {
  const struct successor *next = ctx;
  struct prune *prune = next->prune;

  if (go_on(prune, error) != 0)
    return -1;
  if (!record)
    return amends_a_dropped_one(prune, line);
  if (!is_expired(prune, line, record))
    return 0;
  if (prune->has_amendments)
    dropped_names_add(&prune->dropped, record);
  return 1;
}

/* Indexes what was copied. */
static int index_up_to(void *ctx, uint64_t new_size, struct error *error) {
  struct successor *next = ctx;

  return agent_fold_beside(&next->beside, new_size, error);
}

/* The spare file and this folder are made, put in place and removed while the agent's lock is held
 * or the spare file is ours: no other process begins a new log then.  A folder that a killed
 * process left is used again. */
static int open_folder(struct successor *next, struct error *error) {
  const struct agent *agent = next->rewrite.agent;
  bool made;

  if (directory_make_folder(agent->fd, INDEX_FOLDER, &made, &next->folder_fd, error) != 0)
    return -1;
  /* the index that is moved out of it is for all who share the project */
  if (agent->project->of_group &&
      directory_share_folder(agent->fd, INDEX_FOLDER, next->folder_fd, error) != 0)
    return -1;
  (void)unlinkat(next->folder_fd, CHECKPOINT_FILE, 0);
  return agent_fold_beside_begin(&next->beside, agent, next->folder_fd, next->rewrite.spare_fd,
                                 error);
}

static void end_successor(struct successor *next) {
  agent_fold_beside_end(&next->beside);
  if (next->folder_fd >= 0 && rewrite_is_ours(&next->rewrite)) {
    (void)unlinkat(next->folder_fd, CHECKPOINT_FILE, 0);
    (void)unlinkat(next->folder_fd, CHECKPOINT_FILE ".new", 0);
    (void)unlinkat(next->rewrite.agent->fd, INDEX_FOLDER, AT_REMOVEDIR);
  }
  if (next->folder_fd >= 0)
    (void)close(next->folder_fd);
  rewrite_end(&next->rewrite);
}

/* Nearly all that is committed, without the lock; then 0 with the lock held. */
static int approach(struct prune *prune, struct successor *next, ino_t inode, struct error *error) {
  struct agent *agent = &prune->agent;
  struct log_anchor copied = prune->anchor, reached;

  for (int rounds = 0;; rounds++) {
    uint64_t end;
    int result;

    agent_forget_fold(agent);
    if (acquire(prune, error) != 0)
      return -1;
    end = agent->anchor.end;
    result = check_unchanged(prune, inode, &copied, error);
    reached = agent->anchor;
    if (result == 0 && (end <= next->rewrite.copied + TAIL_BYTES || rounds == ROUNDS_MAX))
      return 0;
    agent_release(agent);
    if (result != 0 || rewrite_copy(&next->rewrite, end, error) != 0)
      return -1;
    copied = reached;
    /* puts most of it on disk before anybody waits for the rest */
    if (fdatasync(next->rewrite.spare_fd) != 0)
      return error_set_errno(error, KAIZEN_E_IO, errno, "the new log: cannot sync");
  }
}

/* Lock held: copies what came meanwhile, and exchanges the names. */
static int take_place(struct successor *next, struct error *error) {
  struct agent *agent = next->rewrite.agent;

  if (rewrite_replace(&next->rewrite, error) != 0)
    return -1;
  /* without it the new log is folded again by the next process */
  (void)renameat(next->folder_fd, CHECKPOINT_FILE, agent->fd, CHECKPOINT_FILE);
  agent_fold_follow_rewrite(agent);
  return 0;
}

static int begin_successor(struct prune *prune, struct successor *next, ino_t inode,
                           struct error *error) {
  int result;

  if (acquire(prune, error) != 0)
    return -1;
  result = prune->agent.log.inode != inode
               ? error_set(error, KAIZEN_E_BUSY, "another program rewrote the log")
               : rewrite_begin(&next->rewrite, error);
  if (result == 0)
    result = open_folder(next, error);
  agent_release(&prune->agent);
  return result;
}

static int rewrite_log(struct prune *prune, uint64_t *dropped, struct error *error) {
  struct agent *agent = &prune->agent;
  struct successor next = {.rewrite = {.agent = agent,
                                       .state = prune->state,
                                       .has_state = true,
                                       .sync = prune->sync,
                                       .leave_out = leave_out,
                                       .copied_up_to = index_up_to,
                                       .ctx = &next,
                                       .spare_fd = -1},
                           .folder_fd = -1,
                           .prune = prune};
  ino_t inode = agent->log.inode;
  int result;

  agent_init(&next.beside, agent->project, agent->name);
  result = begin_successor(prune, &next, inode, error);
  if (result == 0)
    result = rewrite_copy(&next.rewrite, prune->anchor.end, error);
  if (result == 0 && fdatasync(next.rewrite.spare_fd) != 0)
    result = error_set_errno(error, KAIZEN_E_IO, errno, "the new log: cannot sync");
  if (result == 0)
    result = approach(prune, &next, inode, error);
  if (result == 0) {
    result = take_place(&next, error);
    end_successor(&next);
    agent_release(agent);
  } else {
    end_successor(&next);
  }
  *dropped = next.rewrite.dropped;
  return result == 0 ? 0 : -1;
}

int retention_prune(const struct project *project, const char *agent, int64_t retention_days,
                    const struct retention_look *look, int64_t *wait_ns, bool sync,
                    const atomic_bool *give_up, uint64_t *dropped, struct error *error) {
  struct prune prune = {.sync = sync,
                        .wait_ns = wait_ns,
                        .retention_days = retention_days,
                        .look = look,
                        .give_up = give_up};
  int result;

  *dropped = 0;
  agent_init(&prune.agent, project, agent);
  result = acquire(&prune, error);
  if (result == 0) {
    result = take_the_day(&prune, error);
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
