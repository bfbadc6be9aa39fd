/* agent_log.c - executions.jsonl of one agent: whole-line append, roll-back, anchors.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/agent_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/directory.h"
#include "base/hash.h"
#include "base/line_reader.h"
#include "record/execution.h"
#include "record/record.h"
#include "store/summary.h"

#define FIRST_READ 1024

/* A log is made before its summary, and replaced by renaming: a summary without a log means that
 * records are gone. */
static int refuse_gone(int agent_fd, struct error *error) {
  struct stat status;

  if (fstatat(agent_fd, SUMMARY_FILE, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
      fstatat(agent_fd, AGENT_LOG_FILE, &status, AT_SYMLINK_NOFOLLOW) == 0)
    return 1; /* it never existed, or exists by now */
  return error_set(error, KAIZEN_E_IO,
                   AGENT_LOG_FILE ": gone, but its " SUMMARY_FILE
                                  " is there; restore it or remove the agent's folder");
}

int agent_log_open(struct agent_log *log, int agent_fd, bool writable, struct error *error) {
  int flags = writable ? O_RDWR | O_APPEND | O_CREAT : O_RDONLY;
  struct stat status;
  int result;

  *log = (struct agent_log){.agent_fd = agent_fd, .fd = -1};
  result = directory_open_file(agent_fd, AGENT_LOG_FILE, flags, &log->fd, error);
  if (result == 1)
    return refuse_gone(agent_fd, error);
  if (result != 0)
    return result;
  if (fstat(log->fd, &status) != 0) {
    (void)error_set_errno(error, KAIZEN_E_IO, errno, AGENT_LOG_FILE ": fstat");
    agent_log_close(log);
    return -1;
  }
  log->device = status.st_dev;
  log->inode = status.st_ino;
  return 0;
}

void agent_log_close(struct agent_log *log) {
  if (log->fd >= 0)
    (void)close(log->fd);
  log->fd = -1;
}

int agent_log_in_place(const struct agent_log *log, int root_fd, const char *agent, uint64_t *size,
                       struct error *error) {
  char path[sizeof ".kaizen/metrics//" AGENT_LOG_FILE + AGENT_NAME_MAX];
  struct stat status;
  int result;

  (void)snprintf(path, sizeof path, ".kaizen/metrics/%s/" AGENT_LOG_FILE, agent);
  result = directory_look_at_file(root_fd, path, &status, error);
  if (result != 0)
    return result;
  *size = (uint64_t)status.st_size;
  return status.st_ino != log->inode || status.st_dev != log->device;
}

bool agent_log_is_ours(const struct agent_log *log) {
  return directory_is_file(log->fd, log->device, log->inode);
}

uint64_t agent_log_anchor_hash(struct span line) {
  size_t len = line.len < ANCHOR_BYTES ? line.len : ANCHOR_BYTES;

  return hash_bytes(line.ptr + (line.len - len), len, line.len);
}

/* 1: the file is shorter. */
static int hash_in_file(const struct agent_log *log, const struct log_anchor *anchor,
                        uint64_t *hash, struct error *error) {
  char bytes[ANCHOR_BYTES];
  uint64_t line_len = anchor->end - anchor->offset;
  size_t len = line_len < ANCHOR_BYTES ? (size_t)line_len : ANCHOR_BYTES;
  size_t got;

  if (directory_read_at(log->fd, bytes, len, anchor->end - len, &got, error) != 0)
    return -1;
  *hash = hash_bytes(bytes, got, line_len);
  return got < len;
}

int agent_log_make_anchor(const struct agent_log *log, struct log_anchor *anchor,
                          struct error *error) {
  int result = hash_in_file(log, anchor, &anchor->hash, error);

  return result <= 0 ? result : error_set(error, KAIZEN_E_IO, AGENT_LOG_FILE ": was cut");
}

int agent_log_check_anchor(const struct agent_log *log, const struct log_anchor *anchor,
                           struct error *error) {
  uint64_t hash;
  int result;

  if (anchor->end == 0)
    return 0;
  if (anchor->inode != log->inode)
    return 1;
  result = hash_in_file(log, anchor, &hash, error);
  return result == 0 ? hash != anchor->hash : result;
}

int agent_log_read_line(int log_fd, uint64_t offset, struct buffer *out, struct error *error) {
  size_t want = FIRST_READ, got;

  buffer_clear(out);
  do {
    char *room = buffer_reserve(out, want);
    const char *newline;

    if (!room)
      return error_set(error, KAIZEN_E_NOMEM, "out of memory");
    if (directory_read_at(log_fd, room, want, offset + out->len, &got, error) != 0)
      return -1;
    newline = memchr(room, '\n', got);
    if (newline) {
      out->len = (size_t)(newline - out->data);
      return 0;
    }
    out->len += got;
    want = out->len;
  } while (got > 0 && out->len <= LINE_READER_LINE_MAX);
  return 1;
}

/* Blanks our own bytes through a descriptor without O_APPEND (pwrite on one with it appends), then
 * cuts them off where nobody appended after them: a plain ftruncate to the old size would cut the
 * line of a writer without our lock. */
static int blank_piece(int fd, const struct agent_log_piece *piece, struct error *error) {
  char blank[4096];
  uint64_t at = piece->start, end = piece->start + piece->len;
  struct stat status;

  memset(blank, ' ', sizeof blank);
  while (at < end) {
    size_t len = end - at < sizeof blank ? (size_t)(end - at) : sizeof blank;

    if (at + len == end)
      blank[len - 1] = '\n';
    if (directory_write_at(fd, blank, len, at, error) != 0)
      return -1;
    at += len;
  }
  if (fstat(fd, &status) == 0 && (uint64_t)status.st_size == end)
    (void)ftruncate(fd, (off_t)piece->start);
  return 0;
}

/* The same file with another descriptor, which can write at any offset. */
static int open_to_overwrite(const struct agent_log *log, int *fd, struct error *error) {
  struct stat status;
  int result = directory_open_file(log->agent_fd, AGENT_LOG_FILE, O_WRONLY, fd, error);

  if (result == 0 && fstat(*fd, &status) == 0 && status.st_ino == log->inode &&
      status.st_dev == log->device)
    return 0;
  if (result == 0)
    (void)close(*fd);
  return result < 0 ? -1 : error_set(error, KAIZEN_E_IO, AGENT_LOG_FILE ": was replaced");
}

static int take_back(struct agent_log *log) {
  int fd, result = 0;

  if (log->piece_count == 0)
    return 0;
  if (open_to_overwrite(log, &fd, NULL) != 0)
    return -1;
  while (result == 0 && log->piece_count > 0) {
    result = blank_piece(fd, &log->pieces[log->piece_count - 1], NULL);
    if (result == 0)
      log->piece_count--;
  }
  (void)close(fd);
  return result;
}

/* Remembers where bytes of ours are, so that they can be removed.  False: no room for it. */
static bool note_piece(struct agent_log *log, uint64_t start, uint64_t len) {
  struct agent_log_piece *last = log->piece_count > 0 ? &log->pieces[log->piece_count - 1] : NULL;

  if (last && last->start + last->len == start) {
    last->len += len;
    return true;
  }
  if (log->piece_count == AGENT_LOG_PIECES)
    return false;
  log->pieces[log->piece_count++] = (struct agent_log_piece){start, len};
  return true;
}

/* Ends a failed append: the code depends on whether our bytes could be removed. */
static int fail_append(struct agent_log *log, int os_error, struct error *error) {
  if (take_back(log) == 0)
    return error_set_errno(error, KAIZEN_E_IO, os_error, AGENT_LOG_FILE ": nothing was recorded");
  return error_set_errno(error, KAIZEN_E_INDETERMINATE, os_error,
                         AGENT_LOG_FILE ": part of a record may have been left behind");
}

/* All of `text` at the end of the file; *start is where it landed.  Each write is remembered as one
 * piece. */
static int write_all(struct agent_log *log, struct span text, uint64_t *start,
                     struct error *error) {
  size_t done = 0;
  uint64_t expected = 0;

  while (done < text.len) {
    ssize_t n = write(log->fd, text.ptr + done, text.len - done);
    off_t end;

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return fail_append(log, n < 0 ? errno : ENOSPC, error);
    end = lseek(log->fd, 0, SEEK_CUR);
    if (end < n || !note_piece(log, (uint64_t)(end - n), (uint64_t)n))
      return error_set_errno(error, KAIZEN_E_INDETERMINATE, errno,
                             AGENT_LOG_FILE ": part of a record may have been left behind");
    /* a foreign line between two pieces of one of ours: neither is whole */
    if (done > 0 && (uint64_t)(end - n) != expected)
      return fail_append(log, EAGAIN, error);
    if (done == 0)
      *start = (uint64_t)(end - n);
    expected = (uint64_t)end;
    done += (size_t)n;
  }
  return 0;
}

/* 1 when the line that our first line landed in, begun by someone else after `size`, cannot be read
 * as a record. */
static int first_line_fused(struct agent_log *log, struct span text, uint64_t size, uint64_t start,
                            struct error *error) {
  struct buffer line = {0};
  struct record record;
  uint64_t begin = start, floor = start > size ? size : 0; /* below: the file was truncated
                                                            * meanwhile */
  char byte;
  size_t got;
  int result;

  if (start == 0 || text.ptr[0] == '\n')
    return 0;
  for (; begin > floor; begin--) {
    if (directory_read_at(log->fd, &byte, 1, begin - 1, &got, error) != 0)
      return -1;
    if (got == 1 && byte == '\n')
      break;
  }
  if (begin == start)
    return 0;
  result = agent_log_read_line(log->fd, begin, &line, error);
  if (result == 0)
    result = record_read(buffer_span(&line), &record, NULL) == RECORD_OK ? 0 : 1;
  buffer_fini(&line);
  return result;
}

/* Once more, on a line of its own. */
static int append_first_line_again(struct agent_log *log, struct span text, struct error *error) {
  const char *newline = memchr(text.ptr, '\n', text.len);
  struct buffer again = {0};
  uint64_t start;
  int result;

  buffer_append_byte(&again, '\n');
  buffer_append(&again, text.ptr, (size_t)(newline - text.ptr) + 1);
  result = again.failed ? fail_append(log, ENOMEM, error)
                        : write_all(log, buffer_span(&again), &start, error);
  buffer_fini(&again);
  return result;
}

int agent_log_append(struct agent_log *log, struct span text, uint64_t size,
                     enum agent_log_outcome *outcome, struct error *error) {
  uint64_t start;
  int fused;

  log->piece_count = 0;
  *outcome = AGENT_LOG_APPENDED;
  if (write_all(log, text, &start, error) != 0)
    return -1;
  if (start == size)
    return 0;
  *outcome = AGENT_LOG_DISPLACED;
  fused = first_line_fused(log, text, size, start, error);
  if (fused < 0)
    return fail_append(log, EIO, error);
  return fused ? append_first_line_again(log, text, error) : 0;
}

int agent_log_sync(struct agent_log *log, uint64_t end, struct error *error) {
  int os_error;

  if (fdatasync(log->fd) == 0) {
    log->synced_end = end;
    return 0;
  }
  os_error = errno;
  if (log->doubted_end == 0 || log->synced_end < log->doubted_begin)
    log->doubted_begin = log->synced_end;
  if (end > log->doubted_end)
    log->doubted_end = end;
  (void)take_back(log);
  return error_set_errno(error, KAIZEN_E_INDETERMINATE, os_error,
                         AGENT_LOG_FILE
                         ": cannot be made durable; retry with the same idempotency key");
}

bool agent_log_is_synced(const struct agent_log *log, uint64_t offset, uint64_t len) {
  return offset + len <= log->synced_end &&
         (offset >= log->doubted_end || offset + len <= log->doubted_begin);
}

int agent_log_prepare_sync(struct agent_log *log, uint64_t offset, struct span line,
                           struct error *error) {
  int fd, result;

  if (offset >= log->doubted_end || offset + line.len <= log->doubted_begin)
    return 0;
  if (open_to_overwrite(log, &fd, error) != 0)
    return -1;
  result = directory_write_at(fd, line.ptr, line.len, offset, error);
  (void)close(fd);
  return result;
}

void agent_log_forget_syncs(struct agent_log *log) {
  log->synced_end = log->doubted_begin = log->doubted_end = 0;
}
