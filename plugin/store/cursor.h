/* cursor.h - how far an agent's events got: which marked lines are acknowledged, dead letters, held
 * back or pending.  Pure: no file, no clock.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Of the marked lines in the log, in its order: those up to the cursor are acknowledged,
 * dead-lettered or held, those after it are pending.  So
 *
 *   marked = acknowledged + pending (held included) + dead-lettered
 *
 * and nothing here is clamped to make it so: numbers that contradict each other are answered with
 * CURSOR_IMPOSSIBLE, and then nothing was changed.
 *
 * The members are read by anybody and assigned in cursor.c alone.  A function that moves the cursor
 * holds the agent's exclusive lock and stores it (agent_state.h). */
#ifndef KAIZEN_CURSOR_H
#define KAIZEN_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "record/fold.h"

#define CURSOR_RECENT 64
#define CURSOR_MARKS 96

enum cursor_answer {
  CURSOR_MOVED = 1,      /* it is not where the caller left it */
  CURSOR_IMPOSSIBLE = 2, /* the numbers contradict each other: a finding, to be reported */
};

struct cursor_mark { /* the cursor as it was at a time, for resending what came after it */
  int64_t time_s;
  unsigned char id[16];
};

struct cursor {
  /* Raised by everybody who moves the cursor other than forward from where it is, so that a
   * publisher notices that its place is no longer valid. */
  uint64_t epoch;
  uint64_t end;    /* hint: offset after its line's newline; 0: before the first, or not known */
  uint64_t marked; /* marked lines in the log up to it */
  uint32_t recent_count;
  /* the ids up to the cursor, newest first; [0] is its line, which decides where the cursor is */
  unsigned char recent[CURSOR_RECENT][16];
  /* Held back: `held_count` marked lines after the first `held_from_marked`; 0: none. */
  uint64_t held_count, held_from_end, held_from_marked;
  unsigned char held_from_id[16]; /* zero: from the beginning, or not known */
  uint64_t dead_lettered; /* distinct ids in .dead-letter.jsonl whose lines are in the log */
  uint32_t mark_count;    /* newest first, one a quarter of an hour: a day */
  struct cursor_mark marks[CURSOR_MARKS];
};

/* 0; CURSOR_IMPOSSIBLE with *error (which may be NULL) when its own numbers contradict each
 * other. */
int cursor_check(const struct cursor *cursor, struct error *error);
/* The id of its line; zeros: it is before the first. */
const unsigned char *cursor_line_id(const struct cursor *cursor);
/* Is marked line number `number`, from 0, held back? */
bool cursor_holds(const struct cursor *cursor, uint64_t number);

/* ---- begin, hold, release ---- */

/* Before the first line, nothing held back, with a new epoch. */
void cursor_begin(struct cursor *cursor, int64_t wall_ns);
/* After the last line of `fold`, with every marked line held back: it is unknown here which were
 * sent.  The epoch stays. */
void cursor_hold(struct cursor *cursor, const struct fold *fold);
/* The lines held back count as acknowledged.  Answers how many there were. */
uint64_t cursor_release(struct cursor *cursor);

/* ---- advance ---- */

/* What a publisher has finished since it last stored, from one line of the log to another. */
struct cursor_progress {
  uint64_t epoch;         /* the epoch it works under */
  unsigned char from[16]; /* the line it continues from */
  int64_t began_wall_ns;
  uint64_t passed, refused, end;
  unsigned char ids[CURSOR_RECENT][16]; /* a ring: number n is at n % CURSOR_RECENT */
};
void cursor_progress_begin(struct cursor_progress *progress, uint64_t epoch,
                           const unsigned char from[16], int64_t wall_ns);
/* One more line, acknowledged or refused. */
void cursor_progress_pass(struct cursor_progress *progress, const unsigned char id[16],
                          uint64_t end, bool refused);
/* Compare and swap: to where `progress` ends, when the cursor has its epoch and is at the line it
 * continues from; else CURSOR_MOVED, and the progress must be dropped.  `same_log`: its offsets are
 * those of the present log. */
int cursor_advance(struct cursor *cursor, const struct cursor_progress *progress, bool same_log);
/* A process that begins to publish raises the epoch with its first store, so that the one before
 * drops its progress. */
void cursor_claim(struct cursor *cursor, int64_t wall_ns);

/* ---- move back ---- */

struct cursor_target {
  uint64_t marked, end; /* marked lines before it; after the newline of the last of them */
  uint64_t dead;        /* dead letters before it, except those held back */
  bool release_held;    /* what is held back is to be sent, too */
  unsigned char recent[CURSOR_RECENT][16]; /* a ring, as in cursor_progress */
};
/* One more marked line that stays before it. */
void cursor_target_pass(struct cursor_target *target, const unsigned char id[16], uint64_t end,
                        bool is_dead);
/* Everything after `target` is pending again, with a new epoch. */
int cursor_move_back(struct cursor *cursor, const struct cursor_target *target, int64_t wall_ns);

/* ---- follow the log when it is rewritten ---- */

/* Another program rewrote it: the newest of the cursor's ids that the log still holds decides, as
 * long as the log is the former one with lines removed.  It is not when more, or other, marked
 * lines are before that one than were before; when some are gone there and older ones are after it;
 * or when none of the ids is there although something was acknowledged.  Then lines were reordered,
 * or an older log was restored.
 * Then a line that is older than the last acknowledgement may or may not have been sent. */
struct cursor_search {
  const struct cursor *cursor;        /* as it was stored */
  int64_t acknowledged_s;             /* when an event was last acknowledged */
  uint64_t total;                     /* marked lines in the log */
  uint32_t index;                     /* of the id that was found; recent_count: none */
  bool in_place;                      /* its line is where it was, after those before it */
  bool held_in_place;                 /* so is the one before those held back */
  uint64_t marked, end;               /* of its line; 0: before the first */
  bool strangers;                     /* the lines before it are not those that were */
  int64_t found_s;                    /* its timestamp */
  uint64_t late;                      /* older lines that are after it */
  uint64_t unsure_marked, unsure_end; /* the last line that may have been sent; 0: none */
  unsigned char unsure_id[16];
  unsigned char passed[CURSOR_RECENT][16]; /* a ring: the lines before the next one */
};
/* acknowledged_s: INT64_MAX when that is not known. */
void cursor_search_begin(struct cursor_search *search, const struct cursor *cursor,
                         int64_t acknowledged_s);
/* The log's next marked line.  timestamp_s < 0: it cannot be read. */
void cursor_search_line(struct cursor_search *search, const unsigned char id[16], uint64_t end,
                        int64_t timestamp_s);
/* Does it show what was sent?  If not, cursor_follow_search() holds back what may have been. */
bool cursor_search_decides(const struct cursor_search *search);
/* What is wrong with the cursor of a log that was searched to its end. */
enum cursor_finding {
  CURSOR_RIGHT = 0, /* or it will be found again */
  CURSOR_CONTRADICTS_ITSELF = 1,
  CURSOR_OF_ANOTHER_LOG = 2, /* the search does not decide */
  CURSOR_MISCOUNTS = 3,      /* its line is where it was, after fewer events than it counts */
  CURSOR_HOLDS_OTHERS = 4,   /* the events held back are not where it says */
};
enum cursor_finding cursor_search_judge(const struct cursor_search *search);
/* A rewrite removes the oldest lines: what is after those held back is acknowledged and stays so,
 * and fewer are held back.  No dead letter is counted yet. */
int cursor_follow_search(struct cursor *cursor, const struct cursor_search *search);
/* For a repair, with a new epoch: as cursor_follow_search(); of a cursor that contradicts itself or
 * holds back other events, everything that may have been sent is held back. */
int cursor_settle_search(struct cursor *cursor, const struct cursor_search *search,
                         int64_t wall_ns);
/* How many of the lines up to it, except those held back, are dead letters. */
int cursor_set_dead(struct cursor *cursor, uint64_t dead);

/* We remove lines ourselves, all of them before the cursor. */
struct cursor_trail {
  struct cursor from; /* when it began */
  uint64_t kept, end, marked, held_from_end, held_from_marked;
  uint64_t dropped, dropped_dead;
};
void cursor_trail_begin(struct cursor_trail *trail, const struct cursor *cursor);
/* A marked line stays; it ends at `end` of the new file. */
void cursor_trail_keep(struct cursor_trail *trail, const unsigned char id[16], uint64_t end);
void cursor_trail_drop(struct cursor_trail *trail, bool is_dead);
/* CURSOR_MOVED: its epoch is not the one it began with. */
int cursor_follow_trail(struct cursor *cursor, const struct cursor_trail *trail);

/* ---- count ---- */

struct cursor_counts {
  uint64_t acknowledged, pending, held, dead_lettered; /* `pending` includes `held` */
};
/* Of a log with `marked` marked lines.  CURSOR_IMPOSSIBLE: unknown, *counts is zeroed. */
int cursor_count(const struct cursor *cursor, uint64_t marked, struct cursor_counts *counts);

#endif
