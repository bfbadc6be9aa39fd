/* agent_view.c - one agent's log as it stands now, read without writing anything.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/agent_view.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/line_reader.h"
#include "base/uuid.h"
#include "record/record.h"
#include "store/agent_lock.h"
#include "store/agent_log.h"
#include "store/checkpoint.h"
#include "store/outbox.h"
#include "store/project_identity.h"

#define NS_PER_MS INT64_C(1000000)
/* When a log was written less than the first ago, a reader waits the second before it reads. */
#define WRITTEN_NOW_NS INT64_C(100000000)
#define GIVE_WAY_NS INT64_C(2000000)
#define SNAPSHOT_TRIES 8

/* One read, from the snapshot to the counts. */
struct reading {
  struct agent_view *view;
  const struct project *project;
  const struct agent_view_limits *limits;
  int agent_fd;
  struct agent_log log;
  uint64_t size;
  bool checkpointed;
  struct log_anchor anchor; /* the checkpoint's */
};

struct agent_view_limits agent_view_patience(int64_t lock_timeout_ms) {
  return (struct agent_view_limits){.lock_ns = clock_monotonic_ns() + lock_timeout_ms * NS_PER_MS,
                                    .work_ns = INT64_MAX};
}

/* ---- the log as it stood at one moment ------------------------------------------------------- */

/* A reader of a log that is being written leaves the processor to the writer for a moment.  Many
 * readers without a pause keep every processor busy; then most of the time one of them is off its
 * processor while it holds the lock, and the writer waits for it. */
static void give_way(const struct agent_log *log) {
  struct stat status;
  int64_t written_ns, age_ns;

  if (fstat(log->fd, &status) != 0)
    return;
  written_ns = clock_ns_of(status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  if (__builtin_sub_overflow(clock_wall_ns(), written_ns, &age_ns))
    return; /* centuries ago, or ahead */
  if (age_ns > -WRITTEN_NOW_NS && age_ns < WRITTEN_NOW_NS)
    clock_pause_ns(GIVE_WAY_NS);
}

/* The log's size at a moment when nobody was writing: nothing else is done under the lock.  1: the
 * log of that name is a different one by now. */
static int take_size(const struct agent_log *log, int agent_fd, int64_t lock_deadline_ns,
                     uint64_t *size, struct error *error) {
  struct agent_lock lock;
  struct stat status, named;
  int result = agent_lock_read(&lock, agent_fd, lock_deadline_ns, error);

  if (result != 0)
    return -1;
  if (fstat(log->fd, &status) != 0)
    result = error_set_errno(error, KAIZEN_E_IO, errno, AGENT_LOG_FILE ": fstat");
  else if (fstatat(agent_fd, AGENT_LOG_FILE, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
           named.st_ino != log->inode || named.st_dev != log->device)
    result = 1;
  agent_lock_release(&lock);
  agent_lock_close(&lock);
  *size = (uint64_t)status.st_size;
  return result;
}

static int refuse_replaced(struct error *error) {
  return error_set(error, KAIZEN_E_BUSY, AGENT_LOG_FILE ": another program keeps replacing it");
}

int agent_view_open_log(int agent_fd, int64_t lock_deadline_ns, struct agent_log *log,
                        uint64_t *size, struct error *error) {
  int tries, result = 1;

  for (tries = 0; result == 1 && tries < SNAPSHOT_TRIES; tries++) {
    result = agent_log_open(log, agent_fd, false, error);
    if (result != 0)
      return result;
    give_way(log);
    result = take_size(log, agent_fd, lock_deadline_ns, size, error);
    if (result != 0)
      agent_log_close(log);
  }
  return result == 1 ? refuse_replaced(error) : result;
}

/* Without the lock a page that is being written looks damaged. */
static int load_state(const struct reading *reading, struct error *error) {
  struct agent_view *view = reading->view;
  struct agent_lock lock;
  bool damaged;
  int result = agent_state_load(reading->agent_fd, &view->state, &damaged, error);

  if (result == 1 && damaged) {
    if (agent_lock_read(&lock, reading->agent_fd, reading->limits->lock_ns, error) != 0)
      return -1;
    result = agent_state_load(reading->agent_fd, &view->state, &damaged, error);
    agent_lock_release(&lock);
    agent_lock_close(&lock);
  }
  view->has_state = result == 0;
  if (!view->has_state)
    memset(&view->state, 0, sizeof view->state);
  return result < 0 ? -1 : 0;
}

/* Checkpoint and state are read before the size is known, so that they are never ahead of it; each
 * has a checksum.  1: no log; 2: it was replaced meanwhile. */
static int take_snapshot(struct reading *reading, struct error *error) {
  int result = agent_log_open(&reading->log, reading->agent_fd, false, error);

  if (result != 0)
    return result;
  if (!reading->limits->at_once)
    give_way(&reading->log);
  result = checkpoint_peek(reading->agent_fd, reading->project, &reading->anchor,
                           &reading->view->fold, error);
  if (result < 0)
    return -1;
  reading->checkpointed = result == 0;
  if (load_state(reading, error) != 0)
    return -1;
  result =
      take_size(&reading->log, reading->agent_fd, reading->limits->lock_ns, &reading->size, error);
  return result == 1 ? 2 : result;
}

/* ---- its records ----------------------------------------------------------------------------- */

static void read_committed(const struct reading *reading, uint64_t from, uint64_t end,
                           struct line_reader *reader) {
  line_reader_init(reader, reading->log.fd, from, end);
  reader->deadline_ns = reading->limits->work_ns;
}

static int fold_log(struct reading *reading, struct error *error) {
  struct agent_view *view = reading->view;
  struct line_reader reader;
  struct record record;
  struct line line;
  int result = reading->checkpointed && reading->anchor.end <= reading->size
                   ? agent_log_check_anchor(&reading->log, &reading->anchor, error)
                   : 1;

  if (result < 0)
    return -1;
  if (result == 1) {
    reading->anchor = (struct log_anchor){0};
    fold_init(&view->fold);
  }
  view->committed_end = reading->anchor.end;
  read_committed(reading, reading->anchor.end, reading->size, &reader);
  while ((result = line_reader_next(&reader, &line, error)) == 1) {
    enum record_kind kind = line.too_long ? RECORD_GARBAGE : record_read(line.text, &record, NULL);

    if (kind == RECORD_OK)
      fold_add(&view->fold, &record, line.end);
    if (kind == RECORD_GARBAGE)
      fold_skip(&view->fold);
    view->committed_end = line.end;
  }
  line_reader_fini(&reader);
  return result;
}

/* ---- its events ------------------------------------------------------------------------------ */

/* Does the line that ends at `end` carry this event id?  Ours stands near the end of the line. */
static bool line_carries(int log_fd, uint64_t end, const unsigned char id[16]) {
  char bytes[2048], text[UUID_TEXT_SIZE];
  size_t len = end < sizeof bytes ? (size_t)end : sizeof bytes, got;
  const char *begin;

  if (end == 0 || directory_read_at(log_fd, bytes, len, end - len, &got, NULL) != 0 || got < len)
    return false;
  if (bytes[len - 1] != '\n')
    return false;
  begin = memrchr(bytes, '\n', len - 1);
  begin = begin ? begin + 1 : bytes;
  uuid_unpack(id, text);
  return memmem(begin, (size_t)(bytes + len - begin), text, UUID_TEXT_SIZE - 1) != NULL;
}

/* For a log that another program rewrote, the counts as the publisher will find them: from the
 * whole log.  0, CURSOR_IMPOSSIBLE or -1. */
static int find_cursor(struct reading *reading, struct error *error) {
  struct agent_view *view = reading->view;
  struct agent_state stored = view->state;
  const struct outbox outbox = {.agent_fd = reading->agent_fd,
                                .log_fd = reading->log.fd,
                                .committed_end = view->committed_end,
                                .deadline_ns = reading->limits->work_ns};
  struct cursor_search search;
  uint64_t dead;
  int result = outbox_find(&outbox, &stored, &search, error);

  if (result == 0)
    result = cursor_follow_search(&view->state.cursor, &search);
  if (result == 0)
    result = outbox_count_dead(&outbox, &view->state.cursor, &dead, error);
  return result == 0 ? cursor_set_dead(&view->state.cursor, dead) : result;
}

/* The first marked line after the cursor, or after where holding began. */
static int find_oldest_pending(struct reading *reading, struct error *error) {
  struct agent_view *view = reading->view;
  uint64_t from = view->impossible                    ? 0
                  : view->state.cursor.held_count > 0 ? view->state.cursor.held_from_end
                                                      : view->state.cursor.end;
  struct line_reader reader;
  struct outbox_line line;
  int result;

  view->oldest_pending_s = -1;
  if (view->pending == 0)
    return 0;
  read_committed(reading, from, view->committed_end, &reader);
  result = outbox_next_marked(&reader, &line, error);
  if (result == 1)
    view->oldest_pending_s = line.record.timestamp_s;
  line_reader_fini(&reader);
  return result < 0 ? -1 : 0;
}

/* 1 when .state belongs to this tree, 0 when to another or to none, -1 with *error. */
static int is_of_this_tree(const struct reading *reading, struct error *error) {
  unsigned char id[PROJECT_ID_SIZE];
  int result = reading->view->has_state ? project_identity_look(reading->project, id, error) : 1;

  if (result != 0)
    return result < 0 ? -1 : 0;
  return memcmp(reading->view->state.project_id, id, PROJECT_ID_SIZE) == 0;
}

static int count_delivery(struct reading *reading, struct error *error) {
  struct agent_view *view = reading->view;
  struct cursor *cursor = &view->state.cursor;
  struct cursor_counts counts;
  int result = is_of_this_tree(reading, error);

  if (result < 0)
    return -1;
  if (result == 0) {
    /* the events of a copied tree are held back as soon as somebody writes here
     * (agent_state_claim): for a reader they already are */
    cursor_begin(cursor, 0);
    cursor_hold(cursor, &view->fold);
  } else {
    result = 0;
    if (cursor->recent_count > 0 && !line_carries(reading->log.fd, cursor->end, cursor->recent[0]))
      result = find_cursor(reading, error);
  }
  if (result == 0)
    result = cursor_count(cursor, view->fold.marked, &counts);
  if (result < 0)
    return -1;
  view->impossible = result == CURSOR_IMPOSSIBLE;
  if (view->impossible) /* nothing is known to have arrived */
    counts = (struct cursor_counts){.pending = view->fold.marked};
  view->acknowledged = counts.acknowledged;
  view->pending = counts.pending;
  view->held = counts.held;
  view->dead_lettered = counts.dead_lettered;
  return find_oldest_pending(reading, error);
}

int agent_view_read(const struct project *project, const char *agent,
                    const struct agent_view_limits *limits, struct agent_view *view,
                    struct error *error) {
  struct reading reading = {
      .view = view, .project = project, .limits = limits, .agent_fd = -1, .log = {.fd = -1}};
  int tries = 0, result;

  memset(view, 0, sizeof *view);
  result = project_agent_folder(project, agent, false, &reading.agent_fd, error);
  if (result == 0) {
    do {
      agent_log_close(&reading.log);
      fold_init(&view->fold);
      result = take_snapshot(&reading, error);
    } while (result == 2 && ++tries < SNAPSHOT_TRIES);
    if (result == 2)
      result = refuse_replaced(error);
  }
  if (result == 0)
    result = fold_log(&reading, error);
  if (result == 0)
    result = count_delivery(&reading, error);
  agent_log_close(&reading.log);
  if (reading.agent_fd >= 0)
    (void)close(reading.agent_fd);
  return result;
}
