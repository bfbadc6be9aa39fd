/* outbox.c - one agent's log as the outbox.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/directory.h"
#include "base/uuid.h"
#include "store/agent_log.h"
#include "store/dead_letter.h"

#define TAIL_BYTES 4096u

/* When the host has closed our descriptor. */
static void forget_lost_log(struct outbox *outbox) {
  if (outbox->log_fd >= 0 && !directory_is_file(outbox->log_fd, outbox->device, outbox->inode))
    outbox->log_fd = -1;
}

static void forget_log(struct outbox *outbox) {
  if (outbox->log_fd >= 0)
    (void)close(outbox->log_fd);
  outbox->log_fd = -1;
}

int outbox_open(struct outbox *outbox, const struct project *project, const char *agent,
                struct error *error) {
  int result;

  *outbox = (struct outbox){.agent_fd = -1, .log_fd = -1, .lock = {.lock_fd = -1, .next_fd = -1}};
  result = project_agent_folder(project, agent, false, &outbox->agent_fd, error);
  if (result == 0 && agent_lock_open(&outbox->lock, outbox->agent_fd, error) != 0) {
    (void)close(outbox->agent_fd);
    result = -1;
  }
  if (result != 0)
    outbox->agent_fd = -1;
  return result;
}

int outbox_reopen(struct outbox *outbox, const struct project *project, const char *agent,
                  struct error *error) {
  struct outbox closed = *outbox;
  struct stat status;
  int result = outbox_open(outbox, project, agent, error);

  outbox->device = closed.device;
  outbox->inode = closed.inode;
  outbox->committed_end = closed.committed_end;
  if (result == 0)
    result =
        directory_open_file(outbox->agent_fd, AGENT_LOG_FILE, O_RDONLY, &outbox->log_fd, error);
  if (result != 0)
    return result;
  if (fstat(outbox->log_fd, &status) == 0 && status.st_ino == closed.inode &&
      status.st_dev == closed.device)
    return 0;
  forget_log(outbox);
  return 1;
}

void outbox_close(struct outbox *outbox) {
  if (outbox->agent_fd < 0)
    return;
  forget_lost_log(outbox);
  forget_log(outbox);
  agent_lock_close(&outbox->lock);
  (void)close(outbox->agent_fd);
  outbox->agent_fd = -1;
}

/* 0 the open log is the one of that name, *status of it; 1 there is none or another; -1. */
static int compare_log(struct outbox *outbox, struct stat *status, struct error *error) {
  forget_lost_log(outbox);
  if (fstatat(outbox->agent_fd, AGENT_LOG_FILE, status, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? 1 : error_set_errno(error, KAIZEN_E_IO, errno, AGENT_LOG_FILE);
  return outbox->log_fd >= 0 && status->st_ino == outbox->inode && status->st_dev == outbox->device
             ? 0
             : 1;
}

/* The log by its name, as it stands under the lock. */
static int find_log(struct outbox *outbox, struct error *error) {
  struct stat status;
  int result = compare_log(outbox, &status, error);

  if (result < 0)
    return -1;
  if (result == 1) {
    forget_log(outbox);
    result =
        directory_open_file(outbox->agent_fd, AGENT_LOG_FILE, O_RDONLY, &outbox->log_fd, error);
    if (result != 0)
      return result < 0 ? -1 : OUTBOX_EMPTY;
    if (fstat(outbox->log_fd, &status) != 0) {
      (void)error_set_errno(error, KAIZEN_E_IO, errno, AGENT_LOG_FILE ": fstat");
      forget_log(outbox);
      return -1;
    }
    outbox->device = status.st_dev;
    outbox->inode = status.st_ino;
  }
  outbox->committed_end = (uint64_t)status.st_size;
  return OUTBOX_SEEN;
}

int outbox_look(struct outbox *outbox, int64_t deadline_ns, struct agent_state *state,
                bool *has_state, struct error *error) {
  int result = agent_lock_shared(&outbox->lock, deadline_ns, error);
  bool damaged;

  if (result != 0)
    return result < 0 ? -1 : OUTBOX_BUSY;
  result =
      agent_lock_in_place(&outbox->lock, outbox->agent_fd) ? find_log(outbox, error) : OUTBOX_GONE;
  if (result == OUTBOX_SEEN && state) {
    int loaded = agent_state_load(outbox->agent_fd, state, &damaged, error);

    *has_state = loaded == 0;
    if (loaded < 0)
      result = -1;
  }
  agent_lock_release(&outbox->lock);
  return result;
}

int outbox_lock_state(struct outbox *outbox, int64_t deadline_ns, struct agent_state *state,
                      bool *same_log, struct error *error) {
  int result = agent_lock_exclusive(&outbox->lock, deadline_ns, error);
  struct stat status;
  bool damaged;

  if (result != 0)
    return result < 0 ? -1 : OUTBOX_BUSY;
  if (!agent_lock_in_place(&outbox->lock, outbox->agent_fd)) {
    result = OUTBOX_GONE;
  } else {
    int compared = compare_log(outbox, &status, error);

    *same_log = compared == 0;
    result = compared < 0 ? -1 : agent_state_load(outbox->agent_fd, state, &damaged, error);
    if (result == 1)
      result = OUTBOX_EMPTY;
  }
  if (result != OUTBOX_SEEN)
    agent_lock_release(&outbox->lock);
  return result;
}

int outbox_adopt(struct outbox *outbox, const unsigned char from[16], const unsigned char to[16],
                 int64_t deadline_ns, bool sync, struct error *error) {
  struct agent_state state;
  bool same_log;
  int result = outbox_lock_state(outbox, deadline_ns, &state, &same_log, error);

  if (result != OUTBOX_SEEN)
    return result;
  if (memcmp(state.project_id, from, sizeof state.project_id) == 0) {
    memcpy(state.project_id, to, sizeof state.project_id);
    result = agent_state_store(outbox->agent_fd, &state, sync, error) == 0 ? OUTBOX_SEEN : -1;
  }
  agent_lock_release(&outbox->lock);
  return result;
}

void outbox_read_from(const struct outbox *outbox, uint64_t offset, struct line_reader *reader) {
  line_reader_init(reader, outbox->log_fd, offset,
                   outbox->committed_end > offset ? outbox->committed_end : offset);
  if (outbox->deadline_ns > 0)
    reader->deadline_ns = outbox->deadline_ns;
}

/* Most lines of most logs are not marked: this finds out without reading them as JSON.  A name may
 * be spelt with escapes. */
static bool may_be_marked(struct span text) {
  return memmem(text.ptr, text.len, "event_id", 8) != NULL ||
         memmem(text.ptr, text.len, "\\u", 2) != NULL;
}

static bool read_marked(struct span text, struct record *record, unsigned char id[16]) {
  if (!may_be_marked(text) || record_read(text, record, NULL) != RECORD_OK || !record->marked)
    return false;
  uuid_pack(record->event_id, id);
  return true;
}

static bool is_marked_with(struct span text, const unsigned char id[16]) {
  struct record record;
  unsigned char found[16];

  return read_marked(text, &record, found) && memcmp(found, id, sizeof found) == 0;
}

int outbox_next_marked(struct line_reader *reader, struct outbox_line *line, struct error *error) {
  int result;

  do
    result = line_reader_next(reader, &line->line, error);
  while (result == 1 &&
         (line->line.too_long || !read_marked(line->line.text, &line->record, line->id)));
  return result;
}

int outbox_read_line(const struct outbox *outbox, uint64_t begin, const unsigned char id[16],
                     struct buffer *text, struct record *record, struct error *error) {
  unsigned char found[16];
  int result;

  buffer_clear(text);
  result = agent_log_read_line(outbox->log_fd, begin, text, error);
  if (result != 0)
    return result;
  if (text->failed)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  return read_marked(buffer_span(text), record, found) && memcmp(found, id, sizeof found) == 0 ? 0
                                                                                               : 1;
}

int outbox_line_ends_at(const struct outbox *outbox, uint64_t end, const unsigned char id[16],
                        struct error *error) {
  struct buffer tail = {0};
  const char *newline = NULL;
  uint64_t len = 0;
  int result = 1;

  if (end == 0 || end > outbox->committed_end)
    return 1;
  /* backwards, in pieces that grow, until the line's beginning is among them */
  while (result == 1 && !newline && len < end && len <= LINE_READER_LINE_MAX) {
    size_t got;

    len = len == 0 ? TAIL_BYTES : len * 4;
    if (len > end)
      len = end;
    buffer_clear(&tail);
    if (!buffer_reserve(&tail, (size_t)len))
      result = error_set(error, KAIZEN_E_NOMEM, "out of memory");
    else if (directory_read_at(outbox->log_fd, tail.data, (size_t)len, end - len, &got, error) != 0)
      result = -1;
    else if (got < len || tail.data[len - 1] != '\n')
      break;
    else
      newline = memrchr(tail.data, '\n', (size_t)len - 1);
    if (result == 1 && (newline || len == end)) {
      const char *begin = newline ? newline + 1 : tail.data;
      struct span text = {begin, (size_t)(tail.data + len - 1 - begin)};

      result = is_marked_with(text, id) ? 0 : 1;
    }
  }
  buffer_fini(&tail);
  return result;
}

int outbox_find(const struct outbox *outbox, const struct agent_state *state,
                struct cursor_search *search, struct error *error) {
  struct line_reader reader;
  struct outbox_line line;
  int result;

  cursor_search_begin(search, &state->cursor, agent_state_acknowledged_s(state));
  outbox_read_from(outbox, 0, &reader);
  while ((result = outbox_next_marked(&reader, &line, error)) == 1)
    cursor_search_line(search, line.id, line.line.end, line.record.timestamp_s);
  line_reader_fini(&reader);
  return result;
}

int outbox_count_dead(const struct outbox *outbox, const struct cursor *cursor, uint64_t *count,
                      struct error *error) {
  struct dead_letter_ids ids = {0};
  struct line_reader reader;
  struct outbox_line line;
  int result = dead_letter_load_ids(outbox->agent_fd, &ids, error);

  *count = 0;
  outbox_read_from(outbox, 0, &reader);
  for (uint64_t n = 0; result == 0 && ids.count > 0 && n < cursor->marked; n++) {
    int more = outbox_next_marked(&reader, &line, error);

    if (more != 1) {
      result = more;
      break;
    }
    *count += !cursor_holds(cursor, n) && dead_letter_has(&ids, line.id);
  }
  line_reader_fini(&reader);
  dead_letter_ids_fini(&ids);
  return result;
}
