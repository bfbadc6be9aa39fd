/* read_place.c - from the cursor in .state to a place in the log, and whether that is still valid.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/read_place.h"

#include <string.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/hash.h"
#include "base/uuid.h"

#define TAIL_BYTES 512u
#define LOCK_WAIT_NS INT64_C(100000000)

static int hash_tail(const struct outbox *outbox, uint64_t end, uint64_t *hash,
                     struct error *error) {
  unsigned char tail[TAIL_BYTES];
  size_t len = end < sizeof tail ? (size_t)end : sizeof tail, got;

  if (directory_read_at(outbox->log_fd, tail, len, end - len, &got, error) != 0)
    return -1;
  *hash = hash_bytes(tail, got, got);
  return 0;
}

int read_place_mark(struct read_place *place, const struct outbox *outbox, struct error *error) {
  place->device = outbox->device;
  place->inode = outbox->inode;
  return hash_tail(outbox, place->read_end, &place->tail_hash, error);
}

int read_place_holds(const struct read_place *place, const struct outbox *outbox,
                     struct error *error) {
  uint64_t hash;

  if (outbox->inode != place->inode || outbox->device != place->device ||
      outbox->committed_end < place->read_end)
    return 1;
  if (hash_tail(outbox, place->read_end, &hash, error) != 0)
    return -1;
  if (hash != place->tail_hash)
    return 1;
  return place->last_end == 0 ? 0
                              : outbox_line_ends_at(outbox, place->last_end, place->last_id, error);
}

/* The log is not what .state was written for: the numbers are taken from the log as it is. */
static int store_recount(struct outbox *outbox, const struct agent_state *seen,
                         const struct cursor_search *search, struct read_place_finding *finding,
                         struct error *error) {
  bool decides = cursor_search_decides(search);
  uint64_t behind = search->total - search->marked;
  uint64_t lost =
      decides && finding->unacknowledged > behind ? finding->unacknowledged - behind : 0;
  struct cursor moved = seen->cursor;
  struct agent_state state;
  bool same_log;
  uint64_t dead;
  int result;

  if (cursor_follow_search(&moved, search) != 0)
    return 1;
  if (outbox_count_dead(outbox, &moved, &dead, error) != 0)
    return -1;
  result = outbox_lock_state(outbox, clock_monotonic_ns() + LOCK_WAIT_NS, &state, &same_log, error);
  if (result != OUTBOX_SEEN)
    return result < 0 ? -1 : 1;
  if (!same_log || state.sequence != seen->sequence ||
      cursor_follow_search(&state.cursor, search) != 0 ||
      cursor_set_dead(&state.cursor, dead) != 0) {
    result = 1;
  } else {
    state.lost_by_rewrite += lost;
    result = agent_state_store(outbox->agent_fd, &state, finding->sync, error);
  }
  agent_lock_release(&outbox->lock);
  if (result == 0) {
    finding->lost = lost;
    finding->held = !decides;
  }
  return result;
}

/* Does the line stand where the cursor says?  0, 1 it does not, -1. */
static int check_hint(const struct outbox *outbox, const struct cursor *cursor,
                      struct error *error) {
  if (cursor->recent_count > 0)
    return outbox_line_ends_at(outbox, cursor->end, cursor_line_id(cursor), error);
  return cursor->end == 0 && cursor->marked == 0 ? 0 : 1;
}

int read_place_find(struct read_place *place, struct outbox *outbox,
                    const struct agent_state *state, struct read_place_finding *finding,
                    struct error *error) {
  const struct cursor *cursor = &state->cursor;
  struct cursor_search found = {.end = cursor->end};
  const unsigned char *id = cursor_line_id(cursor);
  int moved, result = 0;

  if (cursor_check(cursor, error) != 0)
    return -1;
  moved = check_hint(outbox, cursor, error);
  if (moved < 0)
    return -1;
  /* Events that waited may be gone, too: only the whole log tells. */
  if (moved || finding->unacknowledged > 0) {
    result = outbox_find(outbox, state, &found, error);
    if (result == 0 && (moved || !cursor_search_decides(&found) ||
                        finding->unacknowledged > found.total - found.marked))
      result = store_recount(outbox, state, &found, finding, error);
    if (result == 0 && !cursor_search_decides(&found))
      result = 1; /* what may have been sent is held back now: begin again from there */
    if (result != 0)
      return result;
    if (found.index < cursor->recent_count)
      id = cursor->recent[found.index];
  }
  *place =
      (struct read_place){.epoch = cursor->epoch, .read_end = found.end, .last_end = found.end};
  if (found.end > 0) {
    memcpy(place->last_id, id, sizeof place->last_id);
    memcpy(place->passed_id, id, sizeof place->passed_id);
  }
  result = read_place_mark(place, outbox, error);
  place->known = result == 0;
  return result;
}
