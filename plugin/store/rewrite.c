/* rewrite.c - an agent's log without some of its lines.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/rewrite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/os_lock_keeper.h"
#include "base/uuid.h"
#include "store/agent_fold.h"

#define SPARE_FILE ".executions.new"
#define LOOK_NS INT64_C(200000000) /* the agent's lock is held, and hardly ever is there a look */
#define WRITE_CHUNK (UINT64_C(128) << 10)
#define ROUNDS_MAX 8 /* while a program without the lock appends */

bool rewrite_carries_id(const struct record *record, const unsigned char id[16]) {
  unsigned char packed[16];

  if (!record->marked)
    return false;
  uuid_pack(record->event_id, packed);
  return memcmp(packed, id, 16) == 0;
}

static int refuse_busy(struct error *error) {
  return error_set(error, KAIZEN_E_BUSY, "another process is rewriting the log");
}

/* The spare file of a killed process, which a child of it that was forked keeps locked. */
static bool is_legacy(int fd) {
  return os_lock_keeper_look(fd, clock_monotonic_ns() + LOOK_NS) == OS_LOCK_KEEPER_CHILD;
}

static int remove_spare(int agent_fd, struct error *error) {
  if (unlinkat(agent_fd, SPARE_FILE, 0) == 0 || errno == ENOENT)
    return 0;
  return error_set_errno(error, KAIZEN_E_IO, errno, SPARE_FILE ": cannot remove");
}

/* The file is locked as long as it is written: the copying is done without the agent's lock, so two
 * processes may rewrite at the same time, and one would put the other's unfinished file in its
 * place. */
static int open_spare(int agent_fd, int *fd, struct error *error) {
  int result = directory_open_file(agent_fd, SPARE_FILE, O_RDWR | O_CREAT, fd, error);

  if (result == 0 && flock(*fd, LOCK_EX | LOCK_NB) != 0) {
    result = is_legacy(*fd) ? remove_spare(agent_fd, error) : refuse_busy(error);
    (void)close(*fd);
    *fd = -1;
    if (result != 0)
      return -1;
    result = directory_open_file(agent_fd, SPARE_FILE, O_RDWR | O_CREAT | O_EXCL, fd, error);
    if (result == 0 && flock(*fd, LOCK_EX | LOCK_NB) != 0)
      result = refuse_busy(error);
  }
  if (result == 0 && ftruncate(*fd, 0) != 0)
    result = error_set_errno(error, KAIZEN_E_IO, errno, SPARE_FILE ": cannot truncate");
  return result == 1 ? error_set(error, KAIZEN_E_IO, SPARE_FILE ": the agent's folder is gone")
                     : result;
}

static void close_spare(struct rewrite *rewrite) {
  (void)flock(rewrite->spare_fd, LOCK_UN); /* a child that was forked meanwhile has it open too */
  (void)close(rewrite->spare_fd);
  rewrite->spare_fd = -1;
}

int rewrite_begin(struct rewrite *rewrite, struct error *error) {
  int agent_fd = rewrite->agent->fd;

  rewrite->spare_fd = -1;
  cursor_trail_begin(&rewrite->trail, &rewrite->state.cursor);
  if (rewrite->state.cursor.dead_lettered > 0 &&
      dead_letter_load_ids(agent_fd, &rewrite->letters, error) != 0)
    return -1;
  if (open_spare(agent_fd, &rewrite->spare_fd, error) == 0)
    return 0;
  if (rewrite->spare_fd >= 0)
    close_spare(rewrite);
  return -1;
}

static int write_out(struct rewrite *rewrite, uint64_t least, struct error *error) {
  struct buffer *out = &rewrite->out;

  if (out->failed)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  if (out->len < least || out->len == 0)
    return 0;
  if (directory_write_at(rewrite->spare_fd, out->data, out->len, rewrite->new_size - out->len,
                         error) != 0)
    return -1;
  buffer_clear(out);
  return 0;
}

/* The bytes of a line that the reader does not keep. */
static int copy_long_line(struct rewrite *rewrite, const struct line *line, struct error *error) {
  uint64_t at = line->offset;

  while (at < line->end) {
    size_t len = line->end - at < WRITE_CHUNK ? (size_t)(line->end - at) : WRITE_CHUNK, got;
    char *room = buffer_reserve(&rewrite->out, len);

    if (!room)
      return error_set(error, KAIZEN_E_NOMEM, "out of memory");
    if (directory_read_at(rewrite->agent->log.fd, room, len, at, &got, error) != 0)
      return -1;
    if (got < len)
      return error_set(error, KAIZEN_E_IO, AGENT_LOG_FILE ": was truncated");
    rewrite->out.len += len;
    rewrite->new_size += len;
    at += len;
    if (write_out(rewrite, 0, error) != 0)
      return -1;
  }
  return 0;
}

static int copy_line(struct rewrite *rewrite, const struct line *line, struct error *error) {
  struct record read, *record = NULL;
  bool marked = false;
  unsigned char id[16];
  int result;

  if (!line->too_long && record_read(line->text, &read, NULL) == RECORD_OK)
    record = &read;
  if (record && record->marked) {
    marked = true;
    uuid_pack(record->event_id, id);
  }
  result = rewrite->leave_out(rewrite->ctx, line, record, error);
  if (result < 0)
    return -1;
  if (result > 0) {
    rewrite->dropped++;
    if (marked)
      cursor_trail_drop(&rewrite->trail, dead_letter_has(&rewrite->letters, id));
    return 0;
  }
  if (line->too_long)
    return copy_long_line(rewrite, line, error);
  buffer_append(&rewrite->out, line->text.ptr, line->text.len + 1);
  rewrite->new_size += line->text.len + 1;
  if (marked)
    cursor_trail_keep(&rewrite->trail, id, rewrite->new_size);
  return write_out(rewrite, WRITE_CHUNK, error);
}

int rewrite_copy(struct rewrite *rewrite, uint64_t end, struct error *error) {
  struct line_reader reader;
  struct line line;
  int result;

  line_reader_init(&reader, rewrite->agent->log.fd, rewrite->copied, end);
  while ((result = line_reader_next(&reader, &line, error)) == 1)
    if (copy_line(rewrite, &line, error) != 0) {
      result = -1;
      break;
    }
  if (result == 0 && reader.offset != end) /* a program without our lock rewrites it in its place */
    result = error_set(error, KAIZEN_E_BUSY, AGENT_LOG_FILE ": was truncated in the meantime");
  line_reader_fini(&reader);
  if (result < 0 || write_out(rewrite, 0, error) != 0)
    return -1;
  rewrite->copied = end;
  return rewrite->copied_up_to(rewrite->ctx, rewrite->new_size, error);
}

/* When the cursor cannot follow it stays as it is: its ids find it in any case, and the counts then
 * come from the log. */
static void store_state(const struct rewrite *rewrite) {
  int agent_fd = rewrite->agent->fd;
  struct agent_state current;
  bool damaged;

  if (!rewrite->has_state || agent_state_load(agent_fd, &current, &damaged, NULL) != 0)
    return;
  if (cursor_follow_trail(&current.cursor, &rewrite->trail) == 0)
    (void)agent_state_store(agent_fd, &current, rewrite->sync, NULL);
}

bool rewrite_is_ours(const struct rewrite *rewrite) {
  struct stat held, named;

  return rewrite->spare_fd < 0 ||
         (fstat(rewrite->spare_fd, &held) == 0 &&
          fstatat(rewrite->agent->fd, SPARE_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
          held.st_ino == named.st_ino && held.st_dev == named.st_dev);
}

/* Everything up to the agent's anchor is copied.  1: a program without our lock has appended
 * meanwhile. */
static int take_place(struct rewrite *rewrite, struct error *error) {
  int agent_fd = rewrite->agent->fd;
  struct stat log;

  if (!rewrite_is_ours(rewrite))
    return error_set(error, KAIZEN_E_BUSY, SPARE_FILE ": another program removed or replaced it");
  if (fsync(rewrite->spare_fd) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, SPARE_FILE ": cannot sync");
  if (fstat(rewrite->agent->log.fd, &log) == 0 &&
      (uint64_t)log.st_size > rewrite->agent->anchor.end)
    return 1;
  if (renameat(agent_fd, SPARE_FILE, agent_fd, AGENT_LOG_FILE) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, AGENT_LOG_FILE ": cannot replace");
  close_spare(rewrite);
  /* until it is on disk a power loss brings the old log back, which is whole */
  (void)fsync(agent_fd);
  store_state(rewrite);
  return 0;
}

int rewrite_replace(struct rewrite *rewrite, struct error *error) {
  struct agent *agent = rewrite->agent;
  int result = 1;

  for (int rounds = 0; result == 1; rounds++) {
    if (rounds == ROUNDS_MAX || (rounds > 0 && (result = agent_fold_refresh(agent, error)) > 0))
      return error_set(error, KAIZEN_E_BUSY, "another program changes the log without the lock");
    if (result < 0 || rewrite_copy(rewrite, agent->anchor.end, error) != 0)
      return -1;
    result = take_place(rewrite, error);
  }
  return result;
}

void rewrite_end(struct rewrite *rewrite) {
  if (rewrite->spare_fd >= 0) {
    if (rewrite_is_ours(rewrite))
      (void)unlinkat(rewrite->agent->fd, SPARE_FILE, 0);
    close_spare(rewrite);
  }
  dead_letter_ids_fini(&rewrite->letters);
  buffer_fini(&rewrite->out);
}
