/* agent.c - one agent's folder, held open for recording.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "record/record.h"

#define STORE_EVERY_LINES 64 /* a restart folds at most that many again */
/* What a restart after a loss of power, or after kill -9 of the only process, folds again: */
#define POINT_EVERY_BYTES (UINT64_C(2) << 20) /* while recording, */
#define POINT_EVERY_NS INT64_C(1000000000)    /* and what is written meanwhile; */
#define SETTLE_BYTES (UINT64_C(16) << 10)     /* after a stop: some milliseconds of folding */
#define FIRST_POINT_NS INT64_C(16000000) /* of a long catch-up; the next each after twice that */
#define KEY_CANDIDATES 8

void agent_init(struct agent *agent, const struct project *project, const char *name) {
  *agent = (struct agent){.project = project, .fd = -1};
  agent->lock = (struct agent_lock){.lock_fd = -1, .next_fd = -1};
  agent->log.fd = -1;
  agent->checkpoint.pages.fd = -1;
  (void)snprintf(agent->name, sizeof agent->name, "%s", name);
}

void agent_forget_fold(struct agent *agent) {
  checkpoint_close(&agent->checkpoint);
  agent->loaded = false;
}

int agent_discard_checkpoint(struct agent *agent, struct error *error) {
  /* if a loss of power brings it back, it is as damaged as it is now: nothing is synced */
  (void)unlinkat(agent->fd, CHECKPOINT_FILE, 0);
  agent_forget_fold(agent);
  return error_set(error, KAIZEN_E_IO, CHECKPOINT_FILE ": is damaged");
}

void agent_close_files(struct agent *agent) {
  agent_forget_fold(agent);
  agent_log_close(&agent->log);
  agent_lock_close(&agent->lock);
  if (agent->fd >= 0)
    (void)close(agent->fd);
  agent->fd = -1;
  agent->path_synced = agent->state_claimed = false;
}

bool agent_files_are_ours(const struct agent *agent) {
  return (agent->lock.lock_fd < 0 || agent_lock_is_ours(&agent->lock)) &&
         (agent->log.fd < 0 || agent_log_is_ours(&agent->log));
}

void agent_lose_files(struct agent *agent) {
  if (agent->log.fd >= 0 && !agent_log_is_ours(&agent->log))
    agent->log.fd = -1;
  if (agent->lock.lock_fd >= 0 && !agent_lock_is_ours(&agent->lock)) {
    agent->checkpoint.pages.fd = agent->log.fd = agent->fd = -1;
    agent->lock.lock_fd = agent->lock.next_fd = -1;
  }
  agent_lock_release(&agent->lock);
  agent_close_files(agent);
}

static bool folded_log_is_in_place(const struct agent *agent) {
  uint64_t size;

  return agent_log_in_place(&agent->log, agent->project->root_fd, agent->name, &size, NULL) == 0 &&
         size >= agent->anchor.end &&
         agent_log_check_anchor(&agent->log, &agent->anchor, NULL) == 0;
}

/* The kernel tells a failed sync once to each open file description: with one of its own, a point
 * does not take that report from the thread that syncs what it appended.  -1: the log is not in the
 * agent's folder any more. */
static int open_log_again(const struct agent *agent) {
  struct stat status;
  int fd;

  if (directory_open_file(agent->fd, AGENT_LOG_FILE, O_RDONLY, &fd, NULL) != 0)
    return -1;
  if (fstat(fd, &status) == 0 && status.st_ino == agent->log.inode &&
      status.st_dev == agent->log.device)
    return fd;
  (void)close(fd);
  return -1;
}

void agent_take_point(struct agent *agent, uint64_t bytes, struct checkpoint_point *point) {
  int log_fd;

  checkpoint_point_none(point);
  if (!agent->loaded || agent->anchor.end < agent->checkpoint.durable_end + bytes)
    return;
  agent->point_ns = clock_monotonic_ns();
  log_fd = open_log_again(agent);
  checkpoint_point_take(&agent->checkpoint, log_fd >= 0 ? log_fd : agent->log.fd, &agent->anchor,
                        &agent->fold, point);
  if (log_fd >= 0)
    (void)close(log_fd);
}

void agent_take_due_point(struct agent *agent, struct checkpoint_point *point) {
  uint64_t durable_end = agent->checkpoint.durable_end;
  bool much = agent->anchor.end >= durable_end + POINT_EVERY_BYTES;

  /* a table that has grown has lost what was durable: not for a second */
  if (much && (durable_end == 0 || clock_monotonic_ns() >= agent->point_ns + POINT_EVERY_NS))
    agent_take_point(agent, POINT_EVERY_BYTES, point);
  else
    checkpoint_point_none(point);
}

void agent_begin_pace(struct agent *agent) {
  agent->pace_step_ns = FIRST_POINT_NS;
  agent->pace_ns = clock_monotonic_ns() + FIRST_POINT_NS;
}

void agent_take_pace_point(struct agent *agent, struct checkpoint_point *point) {
  int64_t now_ns = clock_monotonic_ns();
  bool due = now_ns >= agent->pace_ns;

  checkpoint_point_none(point);
  if (due || agent->checkpoint.durable_end == 0)
    agent_take_point(agent, 1, point);
  if (!due)
    return;
  agent->pace_step_ns *= 2;
  agent->pace_ns = now_ns + agent->pace_step_ns;
}

/* Stores what is folded for the next process to open it, when that needs no waiting; durably, when
 * a loss of power would cost so many bytes. */
static void leave_checkpoint(struct agent *agent, uint64_t bytes) {
  struct checkpoint_point point;

  if (!agent->loaded ||
      (agent->unstored == 0 && agent->look_again_ns == 0 &&
       agent->anchor.end < agent->checkpoint.durable_end + bytes) ||
      agent_lock_exclusive(&agent->lock, 0, NULL) != 0)
    return;
  checkpoint_point_none(&point);
  if (!agent_lock_in_place(&agent->lock, agent->fd)) {
    /* the file was removed or replaced: the lock protects nothing */
  } else if (agent->look_again_ns > 0) { /* the next process to open it takes the second look */
    (void)checkpoint_remove(agent->fd);
  } else if (folded_log_is_in_place(agent)) {
    agent_store_checkpoint(agent, true);
    agent_take_point(agent, bytes, &point);
  }
  agent_lock_release(&agent->lock);
  (void)checkpoint_point_sync(&point);
}

void agent_settle(struct agent *agent) {
  if (!agent_files_are_ours(agent))
    agent_lose_files(agent);
  leave_checkpoint(agent, SETTLE_BYTES);
}

void agent_close(struct agent *agent) {
  if (!agent_files_are_ours(agent))
    agent_lose_files(agent);
  leave_checkpoint(agent, POINT_EVERY_BYTES);
  agent_close_files(agent);
}

int agent_open_files(struct agent *agent, struct error *error) {
  if (agent->fd >= 0)
    return 0;
  if (project_agent_folder(agent->project, agent->name, true, &agent->fd, error) == 0 &&
      agent_lock_open(&agent->lock, agent->fd, error) == 0)
    return 0;
  agent_close_files(agent);
  return -1;
}

/* Bytes that a loss of power took are zeros; a line after them is then part of a longer one, and
 * not a record. */
static int begins_a_line(const struct agent *agent, uint64_t offset, struct error *error) {
  char before = '\n';
  size_t got = 1;

  if (offset > 0 && directory_read_at(agent->log.fd, &before, 1, offset - 1, &got, error) != 0)
    return -1;
  return got == 1 && before == '\n';
}

int agent_line_carries_key(const struct agent *agent, uint64_t offset, struct span key,
                           struct buffer *line, struct error *error) {
  struct buffer found = {0};
  struct record record;
  int result = agent_log_read_line(agent->log.fd, offset, line, error);

  if (result != 0)
    return result < 0 ? -1 : 0;
  if (record_read(buffer_span(line), &record, NULL) == RECORD_OK && record_key(&record, &found))
    result = found.failed ? error_set(error, KAIZEN_E_NOMEM, "out of memory")
                          : span_equal(buffer_span(&found), key);
  buffer_fini(&found);
  return result == 1 ? begins_a_line(agent, offset, error) : result;
}

int agent_find_key(struct agent *agent, struct span key, struct buffer *line, uint64_t *offset,
                   struct error *error) {
  uint64_t offsets[KEY_CANDIDATES];
  size_t count, i;
  int result = checkpoint_find(&agent->checkpoint, key, offsets, KEY_CANDIDATES, &count, error);

  if (result != 0)
    return result == 1 ? agent_discard_checkpoint(agent, error) : -1;
  for (i = 0; result == 0 && i < count; i++) {
    if (offsets[i] >= agent->anchor.end)
      continue; /* of a line that is not folded yet */
    result = agent_line_carries_key(agent, offsets[i], key, line, error);
    *offset = offsets[i];
  }
  return result;
}

int agent_add_key(struct agent *agent, struct span key, uint64_t offset, struct error *error) {
  int result = checkpoint_add(&agent->checkpoint, key, offset, error);

  return result == 1 ? agent_discard_checkpoint(agent, error) : result;
}

void agent_release(struct agent *agent) {
  agent_lock_release(&agent->lock);
}

void agent_store_checkpoint(struct agent *agent, bool now) {
  int result;

  if (agent->unstored == 0 || (!now && agent->unstored < STORE_EVERY_LINES))
    return;
  result = checkpoint_store(&agent->checkpoint, &agent->anchor, &agent->fold, NULL);
  agent->state_due = true;
  agent->unstored =
      0; /* after a failure too: it is tried again when as many more have been folded */
  if (result == 1)
    agent_forget_fold(agent);
}

int agent_sync_log(struct agent *agent, uint64_t end, struct error *error) {
  if (agent_log_sync(&agent->log, end, error) == 0)
    return 0;
  checkpoint_doubt_log(&agent->checkpoint);
  return -1;
}

int agent_sync_path(struct agent *agent, struct error *error) {
  int metrics_fd = -1, kaizen_fd = -1;

  if (agent->path_synced)
    return 0;
  errno = ENOENT; /* what a folder that is gone is refused with */
  if (project_metrics_folder(agent->project, false, &metrics_fd, NULL) == 0 &&
      directory_open_folder(agent->project->root_fd, ".kaizen", &kaizen_fd, NULL) == 0 &&
      fsync(agent->fd) == 0 && fsync(metrics_fd) == 0 && fsync(kaizen_fd) == 0 &&
      fsync(agent->project->root_fd) == 0)
    agent->path_synced = true;
  else
    (void)error_set_errno(error, KAIZEN_E_IO, errno, "its folders cannot be made durable");
  if (kaizen_fd >= 0)
    (void)close(kaizen_fd);
  if (metrics_fd >= 0)
    (void)close(metrics_fd);
  return agent->path_synced ? 0 : -1;
}
