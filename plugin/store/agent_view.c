/* agent_view.c - one agent's log as it stands now, read without writing anything.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/agent_view.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/line_reader.h"
#include "base/uuid_text.h"
#include "record/record.h"
#include "store/agent_log.h"
#include "store/checkpoint.h"
#include "store/dead_letter.h"

#define LOCK_WAIT_NS INT64_C(2000000000)
#define LOCK_POLL_NS INT64_C(20000)

int agent_view_lock(int agent_fd, int *fd, struct error *error) {
  int64_t deadline_ns = clock_monotonic_ns() + LOCK_WAIT_NS;
  int result = directory_open_file(agent_fd, ".lock", O_RDONLY, fd, error);

  if (result != 0)
    return result == 1 ? 0 : -1;
  while (flock(*fd, LOCK_SH | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      result = error_set_errno(error, KAIZEN_E_IO, errno, ".lock: flock");
    else if (clock_monotonic_ns() >= deadline_ns)
      result = error_set(error, KAIZEN_E_BUSY, "the agent's lock was not free");
    if (result == 0) {
      clock_pause_ns(LOCK_POLL_NS);
      continue;
    }
    (void)close(*fd);
    *fd = -1;
    return result;
  }
  return 0;
}

static int fold_rest(struct agent_view *view, int log_fd, uint64_t from, uint64_t size,
                     struct error *error) {
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  line_reader_init(&reader, log_fd, from, size);
  view->committed_end = from;
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

/* The cursor's place by its ids, the newest of them that is still there, and how many dead letters
 * stand before it. */
static int search_cursor(struct agent_view *view, int log_fd, const struct dead_letter_ids *letters,
                         struct error *error) {
  struct agent_state *state = &view->state;
  uint64_t marked = 0, dead = 0;
  uint32_t best = state->recent_count;
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  line_reader_init(&reader, log_fd, 0, view->committed_end);
  while ((result = line_reader_next(&reader, &line, error)) == 1) {
    unsigned char id[16];
    uint32_t i;

    if (line.too_long || record_read(line.text, &record, NULL) != RECORD_OK || !record.marked)
      continue;
    marked++;
    uuid_pack(record.event_id, id);
    dead += dead_letter_has(letters, id);
    for (i = 0; i < best && memcmp(state->recent[i], id, 16) != 0;)
      i++;
    if (i == best)
      continue;
    best = i;
    state->cursor_end = line.end;
    state->cursor_marked = marked;
    state->dead_lettered = dead;
  }
  line_reader_fini(&reader);
  return result;
}

/* Of a log that another program rewrote, as the publisher will find it: from the whole log. */
static int find_cursor(struct agent_view *view, int agent_fd, int log_fd, struct error *error) {
  struct agent_state *state = &view->state, before = *state;
  struct dead_letter_ids letters = {0};
  int result = dead_letter_load_ids(agent_fd, &letters, error);

  state->cursor_end = state->cursor_marked = state->dead_lettered = 0;
  if (result == 0)
    result = search_cursor(view, log_fd, &letters, error);
  dead_letter_ids_fini(&letters);
  if (result != 0)
    return -1;
  agent_state_recount_held(&before, state->cursor_marked);
  state->held_count = before.held_count;
  state->held_from_marked = before.held_from_marked;
  state->held_from_end = before.held_from_end;
  return 0;
}

/* What is taken down while the lock is held, so that the reading afterwards holds nobody up. */
struct snapshot {
  struct agent_log log;
  uint64_t size;
  struct log_anchor anchor;
  bool checkpointed;
};

static int take_snapshot(struct agent_view *view, const struct project *project, int agent_fd,
                         struct snapshot *snapshot, struct error *error) {
  struct stat status;
  bool damaged;
  int result = checkpoint_peek(agent_fd, project->boot_id, &snapshot->anchor, &view->fold, error);

  if (result < 0)
    return -1;
  snapshot->checkpointed = result == 0;
  result = agent_state_load(agent_fd, &view->state, &damaged, error);
  if (result < 0)
    return -1;
  view->has_state = result == 0;
  if (!view->has_state)
    memset(&view->state, 0, sizeof view->state);
  if (fstat(snapshot->log.fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, AGENT_LOG_FILE ": fstat");
  snapshot->size = (uint64_t)status.st_size;
  return 0;
}

static int fold_log(struct agent_view *view, const struct snapshot *snapshot, struct error *error) {
  struct log_anchor anchor = snapshot->anchor;
  int usable = snapshot->checkpointed && anchor.end <= snapshot->size
                   ? agent_log_check_anchor(&snapshot->log, &anchor, error)
                   : 1;

  if (usable < 0)
    return -1;
  if (usable == 1) {
    anchor = (struct log_anchor){0};
    fold_init(&view->fold);
  }
  return fold_rest(view, snapshot->log.fd, anchor.end, snapshot->size, error);
}

/* The first marked line after the cursor, or after where holding began. */
static int find_oldest_pending(struct agent_view *view, int log_fd, struct error *error) {
  uint64_t from = view->state.held_count > 0 ? view->state.held_from_end : view->state.cursor_end;
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  view->oldest_pending_s = -1;
  if (view->pending == 0)
    return 0;
  line_reader_init(&reader, log_fd, from, view->committed_end);
  while ((result = line_reader_next(&reader, &line, error)) == 1)
    if (!line.too_long && record_read(line.text, &record, NULL) == RECORD_OK && record.marked) {
      view->oldest_pending_s = record.timestamp_s;
      break;
    }
  line_reader_fini(&reader);
  return result < 0 ? -1 : 0;
}

/* What a copied tree brought along is held as soon as somebody writes here (agent_state_claim): to
 * a reader it already is. */
static void hold_everything(struct agent_view *view) {
  struct agent_state *state = &view->state;

  state->cursor_end = view->fold.last_marked_end;
  state->cursor_marked = state->held_count = view->fold.marked;
  state->held_from_end = state->held_from_marked = state->dead_lettered = 0;
}

static bool is_of_this_tree(const struct agent_view *view, const struct project *project) {
  unsigned char id[PROJECT_ID_SIZE];

  return view->has_state && project_identity_known(project, id) &&
         memcmp(view->state.project_id, id, PROJECT_ID_SIZE) == 0;
}

static int count_delivery(struct agent_view *view, const struct project *project, int agent_fd,
                          int log_fd, struct error *error) {
  struct agent_state *state = &view->state;
  uint64_t marked = view->fold.marked;

  if (!is_of_this_tree(view, project))
    hold_everything(view);
  else if (state->recent_count > 0 && !line_carries(log_fd, state->cursor_end, state->recent[0]) &&
           find_cursor(view, agent_fd, log_fd, error) != 0)
    return -1;
  if (state->cursor_marked > marked)
    state->cursor_marked = marked;
  view->pending = marked - state->cursor_marked + state->held_count;
  if (view->pending > marked)
    view->pending = marked;
  /* a foreign rewrite may have taken some of them */
  view->held = state->held_count < view->pending ? state->held_count : view->pending;
  view->dead_lettered =
      state->dead_lettered < marked - view->pending ? state->dead_lettered : marked - view->pending;
  view->acknowledged = marked - view->pending - view->dead_lettered;
  return find_oldest_pending(view, log_fd, error);
}

int agent_view_read(const struct project *project, const char *agent, struct agent_view *view,
                    struct error *error) {
  struct snapshot snapshot = {.log = {.fd = -1}};
  int agent_fd = -1, lock_fd = -1, result;

  memset(view, 0, sizeof *view);
  fold_init(&view->fold);
  result = project_agent_folder(project, agent, false, &agent_fd, error);
  if (result != 0)
    return result;
  result = agent_view_lock(agent_fd, &lock_fd, error);
  if (result == 0)
    result = agent_log_open(&snapshot.log, agent_fd, false, error);
  if (result == 0)
    result = take_snapshot(view, project, agent_fd, &snapshot, error);
  if (lock_fd >= 0)
    (void)close(lock_fd);
  if (result == 0)
    result = fold_log(view, &snapshot, error);
  if (result == 0)
    result = count_delivery(view, project, agent_fd, snapshot.log.fd, error);
  agent_log_close(&snapshot.log);
  (void)close(agent_fd);
  if (result < 0)
    error_prefix(error, "%s", agent);
  return result;
}
