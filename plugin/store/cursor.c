/* cursor.c - how far an agent's events got.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/cursor.h"

#include <string.h>

#include <kaizen/plugin.h>

#define NS_PER_S INT64_C(1000000000)
#define MARK_INTERVAL_S 900

static const unsigned char no_line[16];

static bool same_id(const unsigned char a[16], const unsigned char b[16]) {
  return memcmp(a, b, 16) == 0;
}

int cursor_check(const struct cursor *cursor, struct error *error) {
  uint64_t marked = cursor->marked;
  bool possible = cursor->recent_count <= CURSOR_RECENT && cursor->mark_count <= CURSOR_MARKS &&
                  cursor->held_count <= marked &&
                  cursor->held_from_marked <= marked - cursor->held_count &&
                  cursor->dead_lettered <= marked - cursor->held_count;

  if (possible)
    return 0;
  (void)error_set(
      error, KAIZEN_E_IO,
      ".state contradicts itself: events up to the cursor: %llu; held back: %llu, from number "
      "%llu on; dead letters: %llu; kaizen-host drain --resend-all starts again",
      (unsigned long long)marked, (unsigned long long)cursor->held_count,
      (unsigned long long)cursor->held_from_marked, (unsigned long long)cursor->dead_lettered);
  return CURSOR_IMPOSSIBLE;
}

const unsigned char *cursor_line_id(const struct cursor *cursor) {
  return cursor->recent_count > 0 ? cursor->recent[0] : no_line;
}

bool cursor_holds(const struct cursor *cursor, uint64_t number) {
  return number >= cursor->held_from_marked &&
         number - cursor->held_from_marked < cursor->held_count;
}

/* ---- begin, hold, release -------------------------------------------------------------------- */

/* Greater than any before, also than that of a file that was removed. */
static void raise_epoch(struct cursor *cursor, int64_t wall_ns) {
  uint64_t wall = wall_ns > 0 ? (uint64_t)wall_ns : 0;

  cursor->epoch = wall > cursor->epoch ? wall : cursor->epoch + 1;
}

void cursor_begin(struct cursor *cursor, int64_t wall_ns) {
  *cursor = (struct cursor){.epoch = cursor->epoch};
  raise_epoch(cursor, wall_ns);
  cursor->mark_count = 1; /* nothing was acknowledged before this place */
  cursor->marks[0].time_s = wall_ns / NS_PER_S;
}

void cursor_hold(struct cursor *cursor, const struct fold *fold) {
  if (fold->marked == 0)
    return;
  cursor->end = fold->last_marked_end;
  cursor->marked = cursor->held_count = fold->marked;
  cursor->held_from_end = cursor->held_from_marked = cursor->dead_lettered = 0;
  memset(cursor->held_from_id, 0, sizeof cursor->held_from_id);
  memset(cursor->recent, 0, sizeof cursor->recent);
  cursor->recent_count = 1;
  memcpy(cursor->recent[0], fold->last_marked_id, sizeof cursor->recent[0]);
  if (cursor->mark_count > 0)
    memcpy(cursor->marks[0].id, fold->last_marked_id, sizeof cursor->marks[0].id);
}

uint64_t cursor_release(struct cursor *cursor) {
  uint64_t count = cursor->held_count;

  cursor->held_count = cursor->held_from_end = cursor->held_from_marked = 0;
  memset(cursor->held_from_id, 0, sizeof cursor->held_from_id);
  return count;
}

/* ---- advance --------------------------------------------------------------------------------- */

void cursor_progress_begin(struct cursor_progress *progress, uint64_t epoch,
                           const unsigned char from[16], int64_t wall_ns) {
  *progress = (struct cursor_progress){.epoch = epoch, .began_wall_ns = wall_ns};
  memcpy(progress->from, from, sizeof progress->from);
}

void cursor_progress_pass(struct cursor_progress *progress, const unsigned char id[16],
                          uint64_t end, bool refused) {
  memcpy(progress->ids[progress->passed % CURSOR_RECENT], id, sizeof progress->ids[0]);
  progress->passed++;
  progress->refused += refused;
  progress->end = end;
}

/* The cursor as it was when a quarter of an hour began, so that what came after it can be sent
 * again. */
static void add_mark(struct cursor *cursor, int64_t time_s) {
  if (cursor->mark_count > 0 &&
      time_s / MARK_INTERVAL_S == cursor->marks[0].time_s / MARK_INTERVAL_S)
    return;
  if (cursor->mark_count < CURSOR_MARKS)
    cursor->mark_count++;
  memmove(&cursor->marks[1], &cursor->marks[0], (cursor->mark_count - 1) * sizeof cursor->marks[0]);
  cursor->marks[0].time_s = time_s;
  memcpy(cursor->marks[0].id, cursor_line_id(cursor), sizeof cursor->marks[0].id);
}

/* The last `count` of a ring of `total` ids come before the first `kept` of the recent ones. */
static void put_recent(struct cursor *cursor, unsigned char (*recent)[16],
                       const unsigned char (*ring)[16], uint64_t total, uint32_t kept) {
  uint32_t fresh = total < CURSOR_RECENT ? (uint32_t)total : CURSOR_RECENT;

  if (kept > CURSOR_RECENT - fresh)
    kept = CURSOR_RECENT - fresh;
  memmove(recent[fresh], recent[0], kept * sizeof recent[0]);
  for (uint32_t i = 0; i < fresh; i++)
    memcpy(recent[i], ring[(total - 1 - i) % CURSOR_RECENT], sizeof recent[0]);
  memset(recent[fresh + kept], 0, (CURSOR_RECENT - fresh - kept) * sizeof recent[0]);
  cursor->recent_count = fresh + kept;
}

int cursor_advance(struct cursor *cursor, const struct cursor_progress *progress, bool same_log) {
  if (cursor->epoch != progress->epoch || !same_id(cursor_line_id(cursor), progress->from))
    return CURSOR_MOVED;
  if (cursor_check(cursor, NULL) != 0 || progress->refused > progress->passed ||
      progress->passed > UINT64_MAX - cursor->marked)
    return CURSOR_IMPOSSIBLE;
  if (progress->passed == 0)
    return 0;
  add_mark(cursor, progress->began_wall_ns / NS_PER_S);
  put_recent(cursor, cursor->recent, (const unsigned char(*)[16])progress->ids, progress->passed,
             cursor->recent_count);
  cursor->marked += progress->passed;
  cursor->dead_lettered += progress->refused;
  if (same_log)
    cursor->end = progress->end; /* else it is found by its ids */
  return 0;
}

void cursor_claim(struct cursor *cursor, int64_t wall_ns) {
  raise_epoch(cursor, wall_ns);
}

/* ---- move back ------------------------------------------------------------------------------- */

void cursor_target_pass(struct cursor_target *target, const unsigned char id[16], uint64_t end,
                        bool is_dead) {
  memcpy(target->recent[target->marked % CURSOR_RECENT], id, sizeof target->recent[0]);
  target->marked++;
  target->end = end;
  target->dead += is_dead;
}

int cursor_move_back(struct cursor *cursor, const struct cursor_target *target, int64_t wall_ns) {
  uint64_t held = target->release_held ? 0 : cursor->held_count;

  if (target->marked > cursor->marked || held > target->marked ||
      (held > 0 && cursor->held_from_marked > target->marked - held) ||
      target->dead > target->marked - held)
    return CURSOR_IMPOSSIBLE;
  put_recent(cursor, cursor->recent, (const unsigned char(*)[16])target->recent, target->marked, 0);
  cursor->marked = target->marked;
  cursor->end = target->end;
  cursor->dead_lettered = target->dead;
  if (target->release_held)
    (void)cursor_release(cursor);
  raise_epoch(cursor, wall_ns);
  return 0;
}

/* ---- follow the log when it is rewritten -------------------------------------------------- */

void cursor_search_begin(struct cursor_search *search, const struct cursor *cursor,
                         int64_t acknowledged_s) {
  *search = (struct cursor_search){
      .cursor = cursor, .index = cursor->recent_count, .acknowledged_s = acknowledged_s};
}

/* Are the lines before the one with recent id `index` the lines that were before it, perhaps
 * without some of them?  As far back as both are known. */
static bool has_strangers(const struct cursor_search *search, uint32_t index) {
  const struct cursor *cursor = search->cursor;
  uint64_t before = search->total - 1;
  uint32_t next = index + 1;

  for (uint64_t back = 1; back <= before && back < CURSOR_RECENT && next < cursor->recent_count;
       back++) {
    const unsigned char *id = search->passed[(before - back) % CURSOR_RECENT];

    while (next < cursor->recent_count && !same_id(cursor->recent[next], id))
      next++;
    if (next == cursor->recent_count)
      return true;
    next++;
  }
  return false;
}

void cursor_search_line(struct cursor_search *search, const unsigned char id[16], uint64_t end,
                        int64_t timestamp_s) {
  const struct cursor *cursor = search->cursor;
  uint32_t i = 0;
  bool in_place;

  search->total++;
  while (i < cursor->recent_count && !same_id(cursor->recent[i], id))
    i++;
  in_place = i == 0 && cursor->recent_count > 0 && end == cursor->end && !has_strangers(search, 0);
  if (in_place || (!search->in_place && i < search->index)) {
    search->strangers = !in_place && has_strangers(search, i);
    search->in_place = in_place;
    search->index = i;
    search->marked = search->total;
    search->end = end;
    search->found_s = timestamp_s;
    search->late = 0;
  } else if (!search->in_place && i < cursor->recent_count) {
    search->strangers = true; /* it came before, or is there twice */
  }
  if (search->total == cursor->held_from_marked)
    search->held_in_place = end == cursor->held_from_end && same_id(id, cursor->held_from_id);
  if (search->total > search->marked && search->marked > 0 && timestamp_s >= 0)
    search->late += timestamp_s < search->found_s;
  memcpy(search->passed[(search->total - 1) % CURSOR_RECENT], id, sizeof search->passed[0]);
  if (timestamp_s <= search->acknowledged_s) {
    search->unsure_marked = search->total;
    search->unsure_end = end;
    memcpy(search->unsure_id, id, sizeof search->unsure_id);
  }
}

bool cursor_search_decides(const struct cursor_search *search) {
  const struct cursor *cursor = search->cursor;
  bool lost = search->index == cursor->recent_count && cursor->marked > 0;

  bool moved = !search->in_place && search->marked < cursor->marked && search->late > 0;

  return !search->strangers && !moved && search->marked <= cursor->marked &&
         !(lost && search->unsure_marked > 0);
}

enum cursor_finding cursor_search_judge(const struct cursor_search *search) {
  const struct cursor *cursor = search->cursor;

  if (cursor_check(cursor, NULL) != 0)
    return CURSOR_CONTRADICTS_ITSELF;
  if (!cursor_search_decides(search))
    return CURSOR_OF_ANOTHER_LOG;
  if (search->end != cursor->end) /* the publisher finds its place again */
    return CURSOR_RIGHT;
  if (search->marked != cursor->marked)
    return CURSOR_MISCOUNTS;
  if (cursor->held_count > 0 &&
      !(cursor->held_from_marked > 0 ? search->held_in_place : cursor->held_from_end == 0))
    return CURSOR_HOLDS_OTHERS;
  return CURSOR_RIGHT;
}

/* What may have been sent is held back: neither sent again nor counted as sent. */
static void hold_unsure(struct cursor *cursor, const struct cursor_search *search) {
  (void)cursor_release(cursor);
  cursor->held_count = cursor->marked = search->unsure_marked;
  cursor->end = search->unsure_end;
  cursor->dead_lettered = 0;
  memset(cursor->recent, 0, sizeof cursor->recent);
  cursor->recent_count = search->unsure_marked > 0;
  memcpy(cursor->recent[0], search->unsure_id, sizeof cursor->recent[0]);
}

int cursor_follow_search(struct cursor *cursor, const struct cursor_search *search) {
  uint64_t behind, held = 0, held_from = 0;
  uint32_t kept = cursor->recent_count - search->index;

  if (cursor_check(cursor, NULL) != 0 || search->index > cursor->recent_count)
    return CURSOR_IMPOSSIBLE;
  if (!cursor_search_decides(search)) {
    hold_unsure(cursor, search);
    return 0;
  }
  if (cursor->held_count > 0) {
    behind = cursor->marked - cursor->held_from_marked - cursor->held_count;
    if (search->marked > behind)
      held = search->marked - behind;
    if (held > cursor->held_count) {
      held_from = held - cursor->held_count;
      held = cursor->held_count;
    }
  }
  (void)cursor_release(cursor);
  cursor->held_count = held;
  cursor->held_from_marked = held_from;
  memmove(cursor->recent[0], cursor->recent[search->index], kept * sizeof cursor->recent[0]);
  memset(cursor->recent[kept], 0, (CURSOR_RECENT - kept) * sizeof cursor->recent[0]);
  cursor->recent_count = kept;
  cursor->end = search->end;
  cursor->marked = search->marked;
  cursor->dead_lettered = 0;
  return 0;
}

int cursor_settle_search(struct cursor *cursor, const struct cursor_search *search,
                         int64_t wall_ns) {
  enum cursor_finding finding = cursor_search_judge(search);
  struct cursor_search sent = *search;
  int result = 0;

  /* the place is right; which lines before it are held is not known */
  if (finding == CURSOR_HOLDS_OTHERS || (finding == CURSOR_MISCOUNTS && cursor->held_count > 0)) {
    sent.unsure_marked = search->marked;
    sent.unsure_end = search->end;
    memcpy(sent.unsure_id, cursor_line_id(cursor), sizeof sent.unsure_id);
    hold_unsure(cursor, &sent);
  } else if (finding == CURSOR_CONTRADICTS_ITSELF) {
    hold_unsure(cursor, search);
  } else {
    result = cursor_follow_search(cursor, search);
  }
  raise_epoch(cursor, wall_ns);
  return result;
}

int cursor_set_dead(struct cursor *cursor, uint64_t dead) {
  if (cursor->held_count > cursor->marked || dead > cursor->marked - cursor->held_count)
    return CURSOR_IMPOSSIBLE;
  cursor->dead_lettered = dead;
  return 0;
}

void cursor_trail_begin(struct cursor_trail *trail, const struct cursor *cursor) {
  *trail = (struct cursor_trail){.from = *cursor};
}

void cursor_trail_keep(struct cursor_trail *trail, const unsigned char id[16], uint64_t end) {
  trail->kept++;
  if (trail->from.recent_count > 0 && same_id(id, trail->from.recent[0])) {
    trail->end = end;
    trail->marked = trail->kept;
  }
  if (trail->from.held_count > 0 && same_id(id, trail->from.held_from_id)) {
    trail->held_from_end = end;
    trail->held_from_marked = trail->kept;
  }
}

void cursor_trail_drop(struct cursor_trail *trail, bool is_dead) {
  trail->dropped++;
  trail->dropped_dead += is_dead;
}

int cursor_follow_trail(struct cursor *cursor, const struct cursor_trail *trail) {
  struct cursor moved = *cursor;

  if (cursor->epoch != trail->from.epoch)
    return CURSOR_MOVED;
  if (trail->dropped > cursor->marked || trail->dropped_dead > cursor->dead_lettered)
    return CURSOR_IMPOSSIBLE;
  moved.dead_lettered -= trail->dropped_dead;
  if (same_id(cursor_line_id(cursor), cursor_line_id(&trail->from)) && trail->marked > 0) {
    moved.end = trail->end;
    moved.marked = trail->marked;
  } else {
    moved.end = 0; /* it moved on meanwhile, or its line is gone: found by its ids */
    moved.marked -= trail->dropped;
  }
  if (moved.held_count > 0) {
    moved.held_from_end = trail->held_from_end;
    moved.held_from_marked = trail->held_from_marked;
  }
  if (cursor_check(&moved, NULL) != 0)
    return CURSOR_IMPOSSIBLE;
  *cursor = moved;
  return 0;
}

/* ---- count ----------------------------------------------------------------------------------- */

int cursor_count(const struct cursor *cursor, uint64_t marked, struct cursor_counts *counts) {
  *counts = (struct cursor_counts){0};
  if (cursor_check(cursor, NULL) != 0 || cursor->marked > marked)
    return CURSOR_IMPOSSIBLE;
  counts->held = cursor->held_count;
  counts->pending = marked - cursor->marked + cursor->held_count;
  counts->dead_lettered = cursor->dead_lettered;
  counts->acknowledged = cursor->marked - cursor->held_count - cursor->dead_lettered;
  return 0;
}
