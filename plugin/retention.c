/* retention.c - takes expired lines out of an agent's log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The clock it goes by is its own, kept in .state: it never runs faster than two days a prune, so that a host whose clock stands
 * at 2099 for a minute does not empty the log (invariants, schedule 7). */
#include "retention.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "agent.h"
#include "agent_state.h"
#include "base/clock.h"
#include "base/directory.h"
#include "base/line_reader.h"
#include "base/uuid_text.h"
#include "record.h"

#define SPARE_FILE ".executions.new"
#define CLOCK_STEP_MAX_S (2 * RETENTION_INTERVAL_S)
#define WORTH_IT 16 /* at least one part in so many must have expired */
#define WRITE_CHUNK (UINT64_C(128) << 10)
#define NS_PER_MS INT64_C(1000000)

struct prune {
  struct agent agent;
  struct agent_state state;
  bool sync;
  int64_t lock_timeout_ms, cutoff_s;
  uint64_t end;            /* the committed prefix that is filtered */
  uint64_t protected_from; /* marked lines from here on stay */
  uint64_t expired_bytes, dropped;
  int spare_fd;
  struct buffer out;
  /* what .state says, in terms of the new file */
  struct agent_state moved;
  uint64_t new_size, new_marked;
};

static int64_t deadline_of(const struct prune *prune) {
  return clock_monotonic_ns() + prune->lock_timeout_ms * NS_PER_MS;
}

static int acquire(struct prune *prune, struct error *error) {
  int result = agent_acquire(&prune->agent, deadline_of(prune), error);

  return result == 1 ? error_set(error, KAIZEN_E_BUSY, "the lock was not free") : result;
}

static int64_t step_clock(int64_t clock_s, int64_t newest_s, int64_t now_s) {
  int64_t next_s = clock_s == 0 ? newest_s : clock_s + CLOCK_STEP_MAX_S;

  return now_s < next_s ? now_s : next_s;
}

/* Lock held.  1 when it is time; the day then is taken, so that no other process prunes too. */
static int take_the_day(struct prune *prune, int64_t retention_days, int64_t now_s, struct error *error) {
  struct agent *agent = &prune->agent;
  struct agent_state *state = &prune->state;
  unsigned char id[PROJECT_ID_SIZE];
  int64_t clock_s;
  bool changed;

  if (project_identity(agent->project, id, error) != 0 ||
      agent_state_claim(agent->fd, id, &agent->fold, prune->sync, state, &changed, error) != 0)
    return -1;
  clock_s = step_clock(state->retention_clock_s, agent->fold.last_execution_s, now_s);
  if (clock_s <= state->retention_clock_s || clock_s < state->last_prune_s + RETENTION_INTERVAL_S) return 0;
  state->retention_clock_s = state->last_prune_s = clock_s;
  if (agent_state_store(agent->fd, state, prune->sync, error) != 0) return -1;
  prune->cutoff_s = clock_s - retention_days * RETENTION_INTERVAL_S;
  prune->end = agent->anchor.end;
  return agent->fold.oldest_s < prune->cutoff_s;
}

static bool carries_id(const struct record *record, const unsigned char id[16]) {
  unsigned char packed[16];

  if (!record->marked) return false;
  uuid_pack(record->event_id, packed);
  return memcmp(packed, id, 16) == 0;
}

/* The cursor's own line stays: it is how the cursor is found again. */
static bool is_expired(const struct prune *prune, const struct line *line, struct record *record) {
  if (line->too_long || record_read(line->text, record, NULL) != RECORD_OK) {
    record->marked = false;
    return false;
  }
  if (record->timestamp_s < 0 || record->timestamp_s >= prune->cutoff_s) return false;
  if (!record->marked) return true;
  return line->offset < prune->protected_from && !carries_id(record, prune->state.recent[0]);
}

static bool is_zero(const unsigned char id[16]) {
  static const unsigned char zero[16];

  return memcmp(id, zero, 16) == 0;
}

/* Where the protected lines begin, by the ids in .state; its offsets are hints only. */
static int find_protected(struct prune *prune, struct error *error) {
  const struct agent_state *state = &prune->state;
  const unsigned char *id = state->held_count > 0 ? state->held_from_id : state->recent[0];
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  prune->protected_from = 0;
  if ((state->held_count == 0 && state->recent_count == 0) || is_zero(id)) return 0;
  line_reader_init(&reader, prune->agent.log.fd, 0, prune->end);
  while ((result = line_reader_next(&reader, &line, error)) == 1)
    if (!line.too_long && record_read(line.text, &record, NULL) == RECORD_OK && carries_id(&record, id))
      prune->protected_from = line.end;
  line_reader_fini(&reader);
  return result;
}

static int count_expired(struct prune *prune, struct error *error) {
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  line_reader_init(&reader, prune->agent.log.fd, 0, prune->end);
  while ((result = line_reader_next(&reader, &line, error)) == 1)
    if (is_expired(prune, &line, &record)) prune->expired_bytes += line.end - line.offset;
  line_reader_fini(&reader);
  return result;
}

static int write_out(struct prune *prune, uint64_t least, struct error *error) {
  if (prune->out.failed) return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  if (prune->out.len < least || prune->out.len == 0) return 0;
  if (directory_write_at(prune->spare_fd, prune->out.data, prune->out.len, prune->new_size - prune->out.len, error) != 0)
    return -1;
  buffer_clear(&prune->out);
  return 0;
}

/* Keeps track of where the cursor's and the held lines come to stand. */
static void follow_state(struct prune *prune, const struct record *record) {
  if (!record->marked) return;
  prune->new_marked++;
  if (prune->state.recent_count > 0 && carries_id(record, prune->state.recent[0])) {
    prune->moved.cursor_end = prune->new_size;
    prune->moved.cursor_marked = prune->new_marked;
  }
  if (prune->state.held_count > 0 && carries_id(record, prune->state.held_from_id)) {
    prune->moved.held_from_end = prune->new_size;
    prune->moved.held_from_marked = prune->new_marked;
  }
}

static int copy_lines(struct prune *prune, uint64_t from, uint64_t to, struct error *error) {
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  line_reader_init(&reader, prune->agent.log.fd, from, to);
  while ((result = line_reader_next(&reader, &line, error)) == 1) {
    if (line.too_long) {
      result = error_set(error, KAIZEN_E_IO, "a line of the log is longer than %llu bytes; repair it first",
                         (unsigned long long)LINE_READER_LINE_MAX);
      break;
    }
    if (is_expired(prune, &line, &record)) {
      prune->dropped++;
      continue;
    }
    buffer_append(&prune->out, line.text.ptr, line.text.len + 1);
    prune->new_size += line.text.len + 1;
    follow_state(prune, &record);
    result = write_out(prune, WRITE_CHUNK, error);
    if (result != 0) break;
  }
  line_reader_fini(&reader);
  return result < 0 ? -1 : write_out(prune, 0, error);
}

static int open_spare(struct prune *prune, struct error *error) {
  int agent_fd = prune->agent.fd;

  if (unlinkat(agent_fd, SPARE_FILE, 0) != 0 && errno != ENOENT)
    return error_set_errno(error, KAIZEN_E_IO, errno, SPARE_FILE ": cannot remove");
  return directory_open_file(agent_fd, SPARE_FILE, O_WRONLY | O_CREAT | O_EXCL, &prune->spare_fd, error);
}

/* Lock held: what came meanwhile, then the new file under the old name. */
static int finish(struct prune *prune, struct error *error) {
  struct agent *agent = &prune->agent;
  struct agent_state current;
  bool damaged;

  if (copy_lines(prune, prune->end, agent->anchor.end, error) != 0) return -1;
  if (fsync(prune->spare_fd) != 0) return error_set_errno(error, KAIZEN_E_IO, errno, SPARE_FILE ": cannot sync");
  if (agent_state_load(agent->fd, &current, &damaged, error) != 0) return -1;
  if (renameat(agent->fd, SPARE_FILE, agent->fd, AGENT_LOG_FILE) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, AGENT_LOG_FILE ": cannot replace");
  (void)fsync(agent->fd);
  /* only when the cursor has not moved meanwhile; else its ids find it */
  if (memcmp(current.recent[0], prune->state.recent[0], 16) == 0 && current.epoch == prune->state.epoch) {
    current.cursor_end = prune->moved.cursor_end;
    current.cursor_marked = prune->moved.cursor_marked;
    current.held_from_end = prune->moved.held_from_end;
    current.held_from_marked = prune->moved.held_from_marked;
    (void)agent_state_store(agent->fd, &current, prune->sync, NULL);
  }
  return 0;
}

static int rewrite(struct prune *prune, struct error *error) {
  struct agent *agent = &prune->agent;
  ino_t inode = agent->log.inode;
  uint64_t rebuilt = agent->rebuilt;
  int result = open_spare(prune, error);

  if (result != 0) return -1;
  result = copy_lines(prune, 0, prune->end, error);
  if (result == 0 && acquire(prune, error) == 0) {
    /* still the file that was filtered? */
    result = agent->log.inode == inode && agent->rebuilt == rebuilt && agent->anchor.end >= prune->end
                 ? finish(prune, error)
                 : error_set(error, KAIZEN_E_BUSY, "another program rewrote the log meanwhile");
    agent_release(agent);
  } else {
    result = -1;
  }
  (void)close(prune->spare_fd);
  if (result != 0) (void)unlinkat(agent->fd, SPARE_FILE, 0);
  return result;
}

int retention_prune(const struct project *project, const char *agent, int64_t retention_days, int64_t now_s,
                    int64_t lock_timeout_ms, bool sync, uint64_t *dropped, struct error *error) {
  struct prune prune = {.sync = sync, .lock_timeout_ms = lock_timeout_ms, .spare_fd = -1};
  int result;

  *dropped = 0;
  agent_init(&prune.agent, project, agent);
  result = acquire(&prune, error);
  if (result != 0) goto out;
  result = take_the_day(&prune, retention_days, now_s, error);
  agent_release(&prune.agent);
  if (result != 1) goto out;
  if (find_protected(&prune, error) != 0 || count_expired(&prune, error) != 0) {
    result = -1;
    goto out;
  }
  if (prune.expired_bytes * WORTH_IT < prune.end) {
    result = 0;
    goto out;
  }
  prune.moved = prune.state;
  result = rewrite(&prune, error) == 0 ? 1 : -1;
  *dropped = prune.dropped;

out:
  buffer_fini(&prune.out);
  agent_close(&prune.agent);
  return result;
}
