/* agent_fold.c - an agent's log, folded to its end under the agent's lock.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/agent_fold.h"

#include <errno.h>
#include <sys/stat.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/hash.h"
#include "base/line_reader.h"
#include "record/record.h"
#include "store/fold_ahead.h"

#define STORE_EVERY_LINES_FAR 1024 /* during a long catch-up: a killed rebuild continues there */
#define REOPEN_TRIES 8             /* at least, however little time there is */
#define CATCH_UP_TRIES                                                                             \
  64                              /* with a program that appends all the time: a needless newline is
                           * harmless */
#define HOLD_NS INT64_C(10000000) /* while there is much to fold */
#define KEPT_PAGES 16384          /* meanwhile, at most: 16 MiB, the keys of some 700,000 records */
#define SECOND_LOOK_NS INT64_C(1000000000)

static void remember_before(struct agent *agent) {
  agent->records_before = agent->fold.execution_count;
  agent->marked_before = agent->fold.marked;
}

/* A program that rewrites a log in place may overwrite lines that were appended meanwhile, and stop
 * before the last of them: that one stays where it was, and yet what was folded is wrong. */
static void want_second_look(struct agent *agent) {
  agent->look_again_ns = clock_monotonic_ns() + SECOND_LOOK_NS;
}

/* 0 when the last folded line is where it was, 1 when not: somebody rewrote the log.  -1. */
static int check_anchor(struct agent *agent, uint64_t size, struct error *error) {
  int result =
      size < agent->anchor.end ? 1 : agent_log_check_anchor(&agent->log, &agent->anchor, error);

  if (result != 1)
    return result;
  if (!agent_log_is_ours(&agent->log))
    return error_set(error, KAIZEN_E_IO, AGENT_LOG_FILE ": its descriptor is another file's");
  if (agent->anchor.inode == agent->log.inode)
    want_second_look(agent);
  if (!agent->rewritten && !agent->replaced)
    remember_before(agent);
  agent->rewritten = true;
  return 1;
}

static int begin_again(struct agent *agent, uint64_t size, struct error *error) {
  agent_forget_fold(agent);
  if (checkpoint_reset(&agent->checkpoint, agent->fd, agent->project, error) != 0)
    return -1;
  agent->anchor = (struct log_anchor){0};
  agent_log_forget_syncs(&agent->log);
  fold_init(&agent->fold);
  agent->unstored = 0;
  agent->loaded = true;
  agent->rebuilt += size > 0;
  agent->summary_stale = true;
  return 0;
}

/* The key of a line somebody else wrote; the first line that carries it keeps it. */
static int take_key(struct agent *agent, const struct record *record, uint64_t offset,
                    struct buffer *key, struct error *error) {
  struct buffer line = {0};
  uint64_t first;
  int found;

  if (!record_key(record, key))
    return 0;
  if (key->failed)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  if (key->len == 0)
    return 0;
  found = agent_find_key(agent, buffer_span(key), &line, &first, error);
  buffer_fini(&line);
  return found != 0 ? (found < 0 ? -1 : 0) : agent_add_key(agent, buffer_span(key), offset, error);
}

static int fold_line(struct agent *agent, const struct line *line, struct buffer *key,
                     struct error *error) {
  struct record record;
  enum record_kind kind = line->too_long ? RECORD_GARBAGE : record_read(line->text, &record, NULL);

  if (kind == RECORD_OK) {
    if (take_key(agent, &record, line->offset, key, error) != 0)
      return -1;
    fold_add(&agent->fold, &record, line->end);
  } else if (kind == RECORD_GARBAGE) {
    fold_skip(&agent->fold);
    agent->skipped++;
  }
  agent->unstored++;
  agent->summary_stale = true;
  return 0;
}

/* The anchor of a line that ends at `end`. */
static int set_anchor(struct agent *agent, const struct line *line, struct error *error) {
  agent->anchor =
      (struct log_anchor){.end = line->end, .offset = line->offset, .inode = agent->log.inode};
  if (line->too_long)
    return agent_log_make_anchor(&agent->log, &agent->anchor, error);
  agent->anchor.hash = agent_log_anchor_hash((struct span){line->text.ptr, line->text.len + 1});
  return 0;
}

static void keep_what_is_done(struct agent *agent) {
  struct checkpoint_point point;

  agent_store_checkpoint(agent, true);
  agent->grew = agent->checkpoint.durable_end == 0;
  if (agent->in_turns) /* at the end of this turn, without the lock */
    return;
  agent_take_pace_point(agent, &point);
  if (checkpoint_point_sync(&point) < 0)
    agent->sync_failed = true;
}

/* Damage was found, and it is known what to do: the next step succeeds or fails by itself. */
static int forget_error(struct error *error) {
  if (error)
    *error = (struct error){0};
  return 1;
}

/* This call folds all that was there at the first look, because nobody else would do it sooner.
 * But nobody should wait long for the lock meanwhile, and when another program appends all the time
 * there may be no end.  0: continue; else how catch_up() ends. */
static int let_go(struct agent *agent, uint64_t end) {
  int64_t now_ns = clock_monotonic_ns();
  struct stat status;

  if (agent->let_go_ns == 0)
    agent->let_go_ns = now_ns + HOLD_NS;
  if (agent->in_turns && agent->grew && agent->anchor.end < end)
    return AGENT_FOLD_TURN; /* to be made durable */
  if (now_ns < agent->let_go_ns)
    return 0;
  agent->let_go_ns = now_ns + HOLD_NS;
  if (fstat(agent->log.fd, &status) == 0 && (uint64_t)status.st_size > end)
    return AGENT_FOLD_GROWS;
  return agent->in_turns && end > agent->anchor.end + FOLD_AHEAD_MUCH_BYTES ? AGENT_FOLD_TURN : 0;
}

static int fold_lines(struct agent *agent, uint64_t end, struct error *error) {
  bool much = end > agent->anchor.end + FOLD_AHEAD_MUCH_BYTES;
  struct line_reader reader;
  struct buffer key = {0};
  struct line line;
  int result;

  line_reader_init(&reader, agent->log.fd, agent->anchor.end, end);
  while ((result = line_reader_next(&reader, &line, error)) == 1) {
    if (much && !agent->checkpoint.pages.kept)
      checkpoint_keep(&agent->checkpoint, KEPT_PAGES);
    if (fold_line(agent, &line, &key, error) != 0 || set_anchor(agent, &line, error) != 0) {
      result = agent->loaded ? -1 : forget_error(error);
      break;
    }
    if (agent->unstored >= STORE_EVERY_LINES_FAR)
      keep_what_is_done(agent);
    if (!agent->loaded)
      break; /* 1: another process has put its own checkpoint there */
    result = let_go(agent, end);
    if (result != 0)
      break;
  }
  line_reader_fini(&reader);
  buffer_fini(&key);
  return result;
}

/* Folds what follows the anchor, up to `end`, or as much as may be done at a time.  1: the
 * checkpoint is gone, damaged or replaced under its name. */
static int catch_up(struct agent *agent, uint64_t end, struct error *error) {
  int result = fold_lines(agent, end, error);

  if (agent->loaded && checkpoint_flush(&agent->checkpoint, result < 0 ? NULL : error) != 0)
    result = -1;
  if (result < 0)
    agent_forget_fold(agent);
  return result;
}

/* Ends an unfinished last line, of any writer: it then is a line like any other, and costs no
 * other record. */
static int end_torn_tail(struct agent *agent, struct error *error) {
  enum agent_log_outcome outcome;
  uint64_t size;
  int result;

  if (agent_log_append(&agent->log, (struct span){"\n", 1}, 0, &outcome, error) != 0)
    return -1;
  result = agent_log_in_place(&agent->log, agent->project->root_fd, agent->name, &size, error);
  return result == 0 ? catch_up(agent, size, error) : result;
}

/* The log is folded to its end: one more rewrite is dealt with. */
static void settle_rewrite(struct agent *agent) {
  if (agent->rewritten) {
    agent->rewrites++;
    agent->records_after = agent->fold.execution_count;
    agent->marked_after = agent->fold.marked;
  }
  agent->rewritten = false;
}

static int ends_in_newline(const struct agent *agent, uint64_t size, struct error *error) {
  char last;
  size_t got;

  if (directory_read_at(agent->log.fd, &last, 1, size - 1, &got, error) != 0)
    return -1;
  return got == 1 && last == '\n';
}

/* Folds what follows the anchor and ends a torn last line; results as agent_fold_refresh().  A line
 * that a program without our lock appends meanwhile is whole, and folded with the rest, for as long
 * as nobody waits too long for it. */
static int fold_the_rest(struct agent *agent, uint64_t size, struct error *error) {
  agent->let_go_ns = 0;
  agent->grew = false;

  for (int tries = 0;; tries++) {
    int result = catch_up(agent, size, error);

    if (result == 0)
      result = agent_log_in_place(&agent->log, agent->project->root_fd, agent->name, &size, error);
    if (result != 0)
      return result;
    if (size == agent->anchor.end)
      return 0;
    if (size < agent->anchor.end) {
      want_second_look(agent);
      return 1;
    }
    result = tries < CATCH_UP_TRIES ? ends_in_newline(agent, size, error) : 0;
    if (result != 1)
      return result < 0 ? -1 : end_torn_tail(agent, error);
  }
}

/* Folds the log once more when it has been at rest since it was rewritten in place; fewer records
 * than before are one more rewrite.  Results as agent_fold_refresh(). */
static int look_again(struct agent *agent, uint64_t size, struct error *error) {
  int result;

  if (agent->look_again_ns == 0 || clock_monotonic_ns() < agent->look_again_ns)
    return 0;
  agent->look_again_ns = 0;
  remember_before(agent);
  if (begin_again(agent, 0, error) != 0)
    return -1;
  result = fold_the_rest(agent, size, error);
  if (result != 0)
    return result;
  agent->rewritten = agent->fold.execution_count < agent->records_before;
  settle_rewrite(agent);
  return 0;
}

/* 0 when log and lock are the files of those names, *size of the log then; 1 when not; -1. */
static int find_files(struct agent *agent, uint64_t *size, struct error *error) {
  int result;

  if (agent->log.fd < 0 && agent_log_open(&agent->log, agent->fd, true, error) != 0)
    return -1;
  result = agent_log_in_place(&agent->log, agent->project->root_fd, agent->name, size, error);
  if (result == 1 && agent->loaded && agent->fold.execution_count > 0 && !agent->rewritten &&
      !agent->replaced) {
    agent->replaced = true;
    remember_before(agent);
  }
  return result != 0 ? result : !agent_lock_in_place(&agent->lock, agent->fd);
}

/* Does the log lack what it held when its checkpoint was last stored?  A fold that begins earlier,
 * because not all of the checkpoint is believed, would not notice. */
static int check_memory(struct agent *agent, uint64_t size, struct error *error) {
  const struct checkpoint_memory *memory = &agent->checkpoint.memory;
  int result =
      size < memory->anchor.end ? 1 : agent_log_check_anchor(&agent->log, &memory->anchor, error);

  if (result != 1 || agent->rewritten || agent->replaced)
    return result < 0 ? -1 : 0;
  agent->records_before = memory->records;
  agent->marked_before = memory->marked;
  agent->rewritten = true;
  return 0;
}

/* Chooses a fold of this log: the one in memory, the checkpoint's, or, where neither is of this
 * log, an empty one. */
static int take_up_fold(struct agent *agent, uint64_t size, struct error *error) {
  int result;

  if (!agent->loaded) {
    result = checkpoint_open(&agent->checkpoint, agent->fd, agent->project, &agent->anchor,
                             &agent->fold, error);
    if (result < 0)
      return -1;
    agent->loaded = result == 0;
    agent->unstored = 0;
    if (agent->loaded && check_memory(agent, size, error) != 0)
      return -1;
  }
  if (agent->loaded) {
    result = check_anchor(agent, size, error);
    if (result < 0)
      return -1;
    agent->loaded = result == 0;
  }
  /* a process of ours that rewrites a log leaves a checkpoint of the new one; where there is none,
   * it was somebody else */
  if (agent->replaced && size > 0 && !(agent->loaded && agent->anchor.inode == agent->log.inode))
    agent->rewritten = true;
  agent->replaced = false;
  return agent->loaded ? 0 : begin_again(agent, size, error);
}

/* Where the lock may be released, a long part is read without it.  0: the rest is short, or must be
 * folded here; else results as agent_fold_refresh(). */
static int fold_much(struct agent *agent, uint64_t size, struct error *error) {
  int result = 0;

  if (agent->ahead)
    result = fold_ahead_merge(agent->ahead, agent, size, clock_monotonic_ns() + HOLD_NS, error);
  if (result == FOLD_AHEAD_REWRITTEN)
    want_second_look(agent);
  if (result < 0)
    agent_forget_fold(agent);
  return result == FOLD_AHEAD_MORE    ? AGENT_FOLD_TURN
         : result == FOLD_AHEAD_GROWS ? AGENT_FOLD_GROWS
                                      : (result > 0) - (result < 0);
}

static int refresh(struct agent *agent, struct error *error) {
  uint64_t size = 0;
  int result = find_files(agent, &size, error);

  if (result == 0)
    result = take_up_fold(agent, size, error);
  if (result == 0)
    result = fold_much(agent, size, error);
  if (result == 0 && size != agent->anchor.end)
    result = fold_the_rest(agent, size, error);
  if (result == 0) {
    settle_rewrite(agent);
    agent->in_turns = false;
    result = look_again(agent, size, error);
  }
  return result;
}

int agent_fold_refresh(struct agent *agent, struct error *error) {
  agent->in_turns = false;
  agent_begin_pace(agent);
  return refresh(agent, error);
}

void agent_fold_follow_rewrite(struct agent *agent) {
  int result;

  agent_forget_fold(agent);
  agent_log_close(&agent->log);
  /* what does not fit in one turn is folded by the next caller */
  agent->in_turns = true;
  agent_begin_pace(agent);
  result = refresh(agent, NULL);
  if (result == 0 || result == AGENT_FOLD_GROWS || result == AGENT_FOLD_TURN)
    agent_store_checkpoint(agent, true);
}

int agent_fold_beside_begin(struct agent *beside, const struct agent *agent, int folder_fd,
                            int log_fd, struct error *error) {
  struct stat status;

  agent_init(beside, agent->project, agent->name);
  if (fstat(log_fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, "the new log: fstat");
  beside->fd = folder_fd;
  beside->log.fd = log_fd;
  beside->log.device = status.st_dev;
  beside->log.inode = status.st_ino;
  agent_begin_pace(beside);
  return begin_again(beside, 0, error);
}

int agent_fold_beside(struct agent *beside, uint64_t end, struct error *error) {
  int result = catch_up(beside, end, error);

  if (result != 0)
    return result < 0 ? -1 : error_set(error, KAIZEN_E_IO, CHECKPOINT_FILE ": of the new log");
  /* the kernel reports it once: a sync that succeeds after it proves nothing */
  if (beside->sync_failed)
    return error_set(error, KAIZEN_E_IO, "the new log: cannot sync");
  agent_store_checkpoint(beside, true);
  return 0;
}

void agent_fold_beside_end(struct agent *beside) {
  agent_forget_fold(beside);
}

static int refuse_growing(const struct agent *agent, struct error *error) {
  return error_set(error, KAIZEN_E_BUSY,
                   ".kaizen/metrics/%s: another program appends to " AGENT_LOG_FILE
                   " faster than it can be read",
                   agent->name);
}

static int64_t later_by(int64_t now_ns, int64_t wait_ns) {
  return wait_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + wait_ns;
}

/* Lets the others in for a moment.  The next process continues from there. */
static void end_turn(struct agent *agent) {
  struct checkpoint_point point;

  agent_store_checkpoint(agent, true);
  agent_take_pace_point(agent, &point);
  agent_release(agent);
  (void)checkpoint_point_sync(&point);
}

static int acquire(struct agent *agent, int64_t deadline_ns, struct error *error) {
  int64_t patience_ns = deadline_ns == INT64_MAX ? INT64_MAX : deadline_ns - clock_monotonic_ns();
  uint64_t furthest = 0;
  bool grew = false;
  int tries, result;

  for (tries = 0; tries < REOPEN_TRIES || clock_monotonic_ns() < deadline_ns; tries++) {
    if (grew && clock_monotonic_ns() >= deadline_ns)
      return refuse_growing(agent, error);
    if (agent_open_files(agent, error) != 0)
      return -1;
    result = agent_lock_exclusive(&agent->lock, deadline_ns, error);
    if (result == 0) {
      agent->in_turns = true;
      result = refresh(agent, error);
      if (result == 0) {
        fold_ahead_drop(agent->ahead, agent);
        return 0;
      }
    } else if (agent_files_are_ours(agent)) {
      return result;
    }
    if (!agent_files_are_ours(agent)) {
      fold_ahead_lose(agent->ahead);
      agent_lose_files(agent);
      (void)forget_error(error);
      continue;
    }
    grew = result == AGENT_FOLD_GROWS;
    if (grew || result == AGENT_FOLD_TURN) {
      uint64_t reached = fold_ahead_reached(agent->ahead, agent);

      end_turn(agent);
      fold_ahead_work(agent->ahead, agent, deadline_ns);
      if (!grew && reached >= furthest) { /* this is work, and does not count as waiting */
        furthest = reached + 1;
        deadline_ns = later_by(clock_monotonic_ns(), patience_ns);
        tries = 0;
      }
      continue;
    }
    fold_ahead_drop(agent->ahead, agent);
    agent_release(agent);
    if (result < 0)
      return -1;
    /* somebody removed or replaced the files: what we have open is no longer the agent's */
    agent_close_files(agent);
  }
  if (grew)
    return refuse_growing(agent, error);
  return error_set(error, KAIZEN_E_BUSY,
                   ".kaizen/metrics/%s: another program keeps replacing its files", agent->name);
}

int agent_fold_acquire(struct agent *agent, int64_t deadline_ns, struct error *error) {
  struct fold_ahead ahead;
  int result;

  fold_ahead_init(&ahead);
  agent->ahead = &ahead;
  agent_begin_pace(agent);
  result = acquire(agent, deadline_ns, error);
  agent->ahead = NULL;
  fold_ahead_fini(&ahead, agent);
  return result;
}
