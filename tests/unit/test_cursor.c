/* test_cursor.c - the laws of the cursor: marked = acknowledged + pending + dead-lettered, whatever
 * is done to it; and what cannot be is said, never made to fit.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <string.h>

#include "store/cursor.h"

#define EVENTS 200
#define QUARTER_NS (INT64_C(900) * 1000000000)

static void id_of(uint64_t n, unsigned char id[16]) {
  memset(id, 0, 16);
  memcpy(id, &n, sizeof n);
  id[15] = 1; /* no id is all zeros */
}

static uint64_t end_of(uint64_t n) {
  return 100 * n;
}

/* The line the cursor stands at, 0: before the first. */
static uint64_t line_of(const struct cursor *cursor) {
  uint64_t n;

  memcpy(&n, cursor_line_id(cursor), sizeof n);
  return n;
}

/* A publisher's way over the lines from..to, each in `refused` one in so many refused. */
static struct cursor_progress way(const struct cursor *cursor, uint64_t from, uint64_t to,
                                  unsigned refused) {
  struct cursor_progress progress;
  unsigned char id[16];

  cursor_progress_begin(&progress, cursor->epoch, cursor_line_id(cursor), 0);
  for (uint64_t n = from; n <= to; n++) {
    id_of(n, id);
    cursor_progress_pass(&progress, id, end_of(n), refused > 0 && n % refused == 0);
  }
  return progress;
}

static struct cursor at_line(uint64_t line, unsigned refused) {
  struct cursor cursor = {0};
  struct cursor_progress progress;

  cursor_begin(&cursor, 1000);
  progress = way(&cursor, 1, line, refused);
  cr_assert_eq(cursor_advance(&cursor, &progress, true), 0);
  return cursor;
}

static struct cursor holding(uint64_t marked) {
  struct fold fold = {.marked = marked, .last_marked_end = end_of(marked)};
  struct cursor cursor = {0};

  id_of(marked, fold.last_marked_id);
  cursor_begin(&cursor, 1000);
  cursor_hold(&cursor, &fold);
  return cursor;
}

static struct cursor_counts counts_of(const struct cursor *cursor, uint64_t marked) {
  struct cursor_counts counts;

  cr_assert_eq(cursor_count(cursor, marked, &counts), 0);
  cr_assert_eq(counts.acknowledged + counts.pending + counts.dead_lettered, marked);
  cr_assert_leq(counts.held, counts.pending);
  return counts;
}

/* Line n has timestamp n: what was acknowledged ends at line 100. */
#define ACKNOWLEDGED_S 100

/* A log that holds the lines from..to. */
static struct cursor_search search_in(const struct cursor *cursor, uint64_t from, uint64_t to) {
  struct cursor_search search;
  unsigned char id[16];

  cursor_search_begin(&search, cursor, ACKNOWLEDGED_S);
  for (uint64_t n = from; n <= to; n++) {
    id_of(n, id);
    cursor_search_line(&search, id, end_of(n - from + 1), (int64_t)n);
  }
  return search;
}

/* ---- begin, hold, release ---- */

Test(cursor, at_the_beginning_everything_is_pending) {
  struct cursor cursor = {0};

  cursor_begin(&cursor, 1000);
  cr_assert_eq(line_of(&cursor), 0);
  cr_assert_eq(counts_of(&cursor, EVENTS).pending, EVENTS);
}

Test(cursor, a_new_beginning_has_a_token_that_none_before_had) {
  struct cursor cursor = {.epoch = 5000};

  cursor_begin(&cursor, 1000); /* a clock that went back */
  cr_assert_eq(cursor.epoch, 5001);
  cursor_begin(&cursor, 9000);
  cr_assert_eq(cursor.epoch, 9000);
}

Test(cursor, what_is_held_is_pending_and_released_ones_count_as_acknowledged) {
  struct cursor cursor = holding(7);

  cr_assert_eq(counts_of(&cursor, 9).pending, 9);
  cr_assert_eq(counts_of(&cursor, 9).held, 7);
  cr_assert(cursor_holds(&cursor, 0) && cursor_holds(&cursor, 6) && !cursor_holds(&cursor, 7));
  cr_assert_eq(cursor_release(&cursor), 7);
  cr_assert_eq(counts_of(&cursor, 9).acknowledged, 7);
  cr_assert_eq(counts_of(&cursor, 9).pending, 2);
  cr_assert_eq(cursor_release(&cursor), 0);
}

Test(cursor, an_empty_log_holds_nothing) {
  struct cursor cursor = holding(0);

  cr_assert_eq(cursor.held_count, 0);
  cr_assert_eq(cursor.recent_count, 0);
}

/* ---- advance ---- */

Test(cursor, what_was_passed_is_acknowledged_or_a_dead_letter) {
  struct cursor cursor = at_line(10, 5);

  cr_assert_eq(counts_of(&cursor, 12).acknowledged, 8);
  cr_assert_eq(counts_of(&cursor, 12).dead_lettered, 2);
  cr_assert_eq(counts_of(&cursor, 12).pending, 2);
  cr_assert_eq(cursor.end, end_of(10));
}

Test(cursor, the_newest_ids_are_kept_in_their_order_over_every_store) {
  struct cursor cursor = {0};

  for (uint64_t to = 0, step = 1; to + step <= EVENTS; to += step, step = step * 3 % 71) {
    struct cursor_progress progress = way(&cursor, to + 1, to + step, 0);

    cr_assert_eq(cursor_advance(&cursor, &progress, true), 0);
    for (uint32_t i = 0; i < CURSOR_RECENT; i++) {
      unsigned char id[16] = {0};

      if (i < cursor.recent_count)
        id_of(to + step - i, id);
      cr_assert_arr_eq(cursor.recent[i], id, 16, "%u back from %d", i, (int)(to + step));
    }
    cr_assert_eq(cursor.marked, to + step);
  }
}

Test(cursor, of_two_who_go_on_from_one_place_one_moves_it) {
  struct cursor cursor = at_line(10, 0);
  struct cursor_progress first = way(&cursor, 11, 15, 0), second = way(&cursor, 11, 18, 0);
  struct cursor before;

  cr_assert_eq(cursor_advance(&cursor, &first, true), 0);
  before = cursor;
  cr_assert_eq(cursor_advance(&cursor, &second, true), CURSOR_MOVED);
  cr_assert_eq(cursor_advance(&cursor, &first, true), CURSOR_MOVED, "stored twice");
  cr_assert_arr_eq(&cursor, &before, sizeof cursor);
}

Test(cursor, progress_under_an_older_token_is_refused) {
  struct cursor cursor = at_line(10, 0);
  struct cursor_target nothing = {0};
  struct cursor_progress progress = way(&cursor, 11, 15, 0);

  progress.epoch = cursor.epoch;
  cr_assert_eq(cursor_move_back(&cursor, &nothing, 0), 0);
  memcpy(progress.from, cursor_line_id(&cursor), sizeof progress.from);
  cr_assert_eq(cursor_advance(&cursor, &progress, true), CURSOR_MOVED);
  cr_assert_eq(cursor.marked, 0);
}

Test(cursor, a_place_in_another_file_is_not_taken_over) {
  struct cursor cursor = at_line(10, 0);
  struct cursor_progress progress = way(&cursor, 11, 15, 0);

  cr_assert_eq(cursor_advance(&cursor, &progress, false), 0);
  cr_assert_eq(cursor.end, end_of(10));
  cr_assert_eq(line_of(&cursor), 15);
}

Test(cursor, a_mark_is_where_it_stood_when_a_quarter_of_an_hour_began) {
  struct cursor cursor = {0};

  for (uint64_t n = 1; n <= 100 * 2; n++) {
    struct cursor_progress progress = way(&cursor, n, n, 0);
    unsigned char id[16] = {0};

    progress.began_wall_ns = (int64_t)((n + 1) / 2) * QUARTER_NS + (int64_t)n;
    cr_assert_eq(cursor_advance(&cursor, &progress, true), 0);
    if (n > 2)
      id_of((n - 1) / 2 * 2, id);
    cr_assert_arr_eq(cursor.marks[0].id, id, 16, "at %d", (int)n);
  }
  cr_assert_eq(cursor.mark_count, CURSOR_MARKS);
  cr_assert_eq(cursor.marks[CURSOR_MARKS - 1].time_s, 900 * (100 - CURSOR_MARKS + 1));
}

/* ---- move back ---- */

Test(cursor, after_moving_back_what_is_behind_the_target_is_pending_again) {
  for (uint64_t to = 0; to <= 100; to += 25) {
    struct cursor cursor = at_line(100, 10);
    struct cursor_target target = {0};
    uint64_t epoch = cursor.epoch;
    unsigned char id[16];

    for (uint64_t n = 1; n <= to; n++) {
      id_of(n, id);
      cursor_target_pass(&target, id, end_of(n), n % 10 == 0);
    }
    cr_assert_eq(cursor_move_back(&cursor, &target, 0), 0);
    cr_assert_eq(counts_of(&cursor, 100).pending, 100 - to);
    cr_assert_eq(counts_of(&cursor, 100).dead_lettered, to / 10);
    cr_assert_eq(line_of(&cursor), to);
    cr_assert_eq(cursor.end, end_of(to));
    cr_assert_gt(cursor.epoch, epoch);
  }
}

Test(cursor, it_does_not_move_forward_nor_into_what_is_held) {
  struct cursor cursor = holding(10), before = cursor;
  struct cursor_target target = {.marked = 11};

  cr_assert_eq(cursor_move_back(&cursor, &target, 0), CURSOR_IMPOSSIBLE);
  target.marked = 5;
  cr_assert_eq(cursor_move_back(&cursor, &target, 0), CURSOR_IMPOSSIBLE);
  cr_assert_arr_eq(&cursor, &before, sizeof cursor);
  target.release_held = true;
  cr_assert_eq(cursor_move_back(&cursor, &target, 0), 0);
  cr_assert_eq(counts_of(&cursor, 10).held, 0);
  cr_assert_eq(counts_of(&cursor, 10).pending, 5);
}

/* ---- follow ---- */

Test(cursor, after_a_rewrite_by_others_the_newest_line_that_is_left_decides) {
  static const struct {
    const char *name;
    uint64_t from, to, line, acknowledged;
  } cases[] = {
      {"nothing changed", 1, 120, 100, 100},  {"the oldest are gone", 81, 120, 100, 20},
      {"the newest are gone", 1, 90, 90, 90}, {"only newer ones are left", 101, 120, 0, 0},
      {"an empty log", 1, 0, 0, 0},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct cursor stored = at_line(100, 0), cursor = stored;
    struct cursor_search search = search_in(&stored, cases[i].from, cases[i].to);
    struct cursor_counts counts;

    cr_assert_eq(cursor_follow_search(&cursor, &search), 0, "%s", cases[i].name);
    counts = counts_of(&cursor, search.total);
    cr_assert_eq(line_of(&cursor), cases[i].line, "%s", cases[i].name);
    cr_assert_eq(counts.acknowledged, cases[i].acknowledged, "%s", cases[i].name);
    cr_assert_eq(cursor.epoch, stored.epoch, "%s", cases[i].name);
  }
}

/* The log's lines by number, and up to which one events are held after it was looked through. */
Test(cursor, what_a_rewritten_log_does_not_tell_is_held) {
  static const struct {
    const char *name;
    uint64_t lines[12], held, pending;
  } cases[] = {
      {"an older log alone", {1, 2, 3}, 3, 3},
      {"new lines after an older log", {1, 2, 3, 101, 102}, 3, 5},
      {"newest first", {103, 102, 101, 100, 99, 98}, 6, 6},
      {"what was sent moved to the end", {101, 102, 99, 100}, 4, 4},
      {"what was sent long ago moved to the end", {36, 37, 99, 100, 101, 1, 2}, 7, 7},
      {"a line that waits moved among those sent", {97, 98, 101, 99, 100, 102}, 5, 6},
      {"a line from before in their midst", {98, 5, 99, 100, 101}, 4, 5},
      {"a line taken out of the middle", {95, 96, 98, 100, 101}, 0, 1},
      {"nothing that was sent is left", {101, 102}, 0, 2},
      {"the last one sent stands twice", {98, 99, 100, 101, 100, 102}, 5, 6},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct cursor stored = at_line(100, 0), cursor = stored;
    struct cursor_search search;
    struct cursor_counts counts;
    unsigned char id[16];

    cursor_search_begin(&search, &stored, ACKNOWLEDGED_S);
    for (uint64_t n = 0; n < 12 && cases[i].lines[n] > 0; n++) {
      id_of(cases[i].lines[n], id);
      cursor_search_line(&search, id, end_of(n + 1), (int64_t)cases[i].lines[n]);
    }
    cr_assert_eq(cursor_search_decides(&search), cases[i].held == 0, "%s", cases[i].name);
    cr_assert_eq(cursor_follow_search(&cursor, &search), 0, "%s", cases[i].name);
    counts = counts_of(&cursor, search.total);
    cr_assert_eq(counts.held, cases[i].held, "%s: %llu held", cases[i].name,
                 (unsigned long long)counts.held);
    cr_assert_eq(counts.pending, cases[i].pending, "%s: %llu pending", cases[i].name,
                 (unsigned long long)counts.pending);
  }
}

Test(cursor, no_more_lines_can_stand_before_it_than_did) {
  static const uint64_t lines[] = {102, 101, 2, 1, 3};
  struct cursor stored = holding(3), cursor;
  struct cursor_search search;
  unsigned char id[16];

  (void)cursor_release(&stored); /* of the lines before it only one is known by its id */
  cursor = stored;
  cursor_search_begin(&search, &stored, ACKNOWLEDGED_S);
  for (uint64_t n = 0; n < 5; n++) {
    id_of(lines[n], id);
    cursor_search_line(&search, id, end_of(n + 1), (int64_t)lines[n]);
  }
  cr_assert_not(cursor_search_decides(&search));
  cr_assert_eq(cursor_follow_search(&cursor, &search), 0);
  cr_assert_eq(counts_of(&cursor, 5).held, 5);
}

Test(cursor, a_rewrite_takes_held_ones_first) {
  struct cursor stored = holding(10), cursor;
  struct cursor_progress progress = way(&stored, 11, 14, 0);
  struct cursor_search search;

  cr_assert_eq(cursor_advance(&stored, &progress, true), 0);
  cursor = stored;
  search = search_in(&stored, 8, 16);
  cr_assert_eq(cursor_follow_search(&cursor, &search), 0);
  cr_assert_eq(counts_of(&cursor, 9).held, 3);
  cr_assert_eq(counts_of(&cursor, 9).acknowledged, 4);
  cursor = stored;
  search = search_in(&stored, 13, 16);
  cr_assert_eq(cursor_follow_search(&cursor, &search), 0);
  cr_assert_eq(counts_of(&cursor, 4).held, 0);
  cr_assert_eq(counts_of(&cursor, 4).acknowledged, 2);
}

Test(cursor, dead_letters_are_no_more_than_what_was_sent) {
  struct cursor cursor = holding(10);

  cr_assert_eq(cursor_set_dead(&cursor, 1), CURSOR_IMPOSSIBLE);
  cr_assert_eq(cursor_release(&cursor), 10);
  cr_assert_eq(cursor_set_dead(&cursor, 10), 0);
  cr_assert_eq(counts_of(&cursor, 10).acknowledged, 0);
  cr_assert_eq(cursor_set_dead(&cursor, 11), CURSOR_IMPOSSIBLE);
}

/* The lines up to `dropped` are left out, every fifth of them a dead letter. */
static struct cursor_trail trail_without(const struct cursor *cursor, uint64_t dropped) {
  struct cursor_trail trail;
  unsigned char id[16];

  cursor_trail_begin(&trail, cursor);
  for (uint64_t n = 1; n <= 120; n++) {
    id_of(n, id);
    if (n <= dropped)
      cursor_trail_drop(&trail, n % 5 == 0);
    else
      cursor_trail_keep(&trail, id, end_of(n - dropped));
  }
  return trail;
}

Test(cursor, it_follows_when_we_leave_out_lines_before_it) {
  struct cursor cursor = at_line(100, 5);
  struct cursor_trail trail = trail_without(&cursor, 40);

  cr_assert_eq(cursor_follow_trail(&cursor, &trail), 0);
  cr_assert_eq(counts_of(&cursor, 80).pending, 20);
  cr_assert_eq(counts_of(&cursor, 80).dead_lettered, 12);
  cr_assert_eq(cursor.end, end_of(60));
}

Test(cursor, it_follows_when_it_went_on_meanwhile) {
  struct cursor cursor = at_line(100, 5);
  struct cursor_trail trail = trail_without(&cursor, 40);
  struct cursor_progress progress = way(&cursor, 101, 110, 0);

  cr_assert_eq(cursor_advance(&cursor, &progress, true), 0);
  cr_assert_eq(cursor_follow_trail(&cursor, &trail), 0);
  cr_assert_eq(counts_of(&cursor, 80).pending, 10);
  cr_assert_eq(counts_of(&cursor, 80).dead_lettered, 12);
  cr_assert_eq(cursor.end, 0, "a place in the old file");
}

Test(cursor, a_trail_of_before_an_operator_moved_it_is_refused) {
  struct cursor cursor = at_line(100, 0), before;
  struct cursor_trail trail = trail_without(&cursor, 40);
  struct cursor_target nothing = {0};

  cr_assert_eq(cursor_move_back(&cursor, &nothing, 0), 0);
  before = cursor;
  cr_assert_eq(cursor_follow_trail(&cursor, &trail), CURSOR_MOVED);
  cr_assert_arr_eq(&cursor, &before, sizeof cursor);
}

Test(cursor, more_dead_letters_left_out_than_there_were_is_impossible) {
  struct cursor cursor = at_line(100, 50), before = cursor;
  struct cursor_trail trail = trail_without(&cursor, 40);

  cr_assert_eq(cursor_follow_trail(&cursor, &trail), CURSOR_IMPOSSIBLE);
  cr_assert_arr_eq(&cursor, &before, sizeof cursor);
}

/* ---- what cannot be ---- */

Test(cursor, numbers_that_contradict_each_other_are_a_finding_and_nothing_moves) {
  static const struct {
    const char *name;
    struct cursor cursor;
  } cases[] = {
      {"more held than there are", {.marked = 3, .held_count = 4}},
      {"held beyond the cursor", {.marked = 3, .held_count = 2, .held_from_marked = 2}},
      {"more dead letters than there are", {.marked = 3, .dead_lettered = 4}},
      {"dead letters among the held", {.marked = 3, .held_count = 2, .dead_lettered = 2}},
      {"sums that go around",
       {.marked = 3, .held_count = UINT64_MAX, .held_from_marked = 3, .dead_lettered = 3}},
      {"more ids than fit", {.marked = 3, .recent_count = CURSOR_RECENT + 1}},
      {"more marks than fit", {.marked = 3, .mark_count = CURSOR_MARKS + 1}},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct cursor cursor = cases[i].cursor;
    struct cursor_progress progress;
    struct cursor_counts counts;
    struct error error = {0};

    cursor_progress_begin(&progress, cursor.epoch, cursor_line_id(&cursor), 0);
    cursor_progress_pass(&progress, cursor.recent[1], 1, false);
    cr_assert_eq(cursor_check(&cursor, &error), CURSOR_IMPOSSIBLE, "%s", cases[i].name);
    cr_assert(error.text[0] != '\0', "%s", cases[i].name);
    cr_assert_eq(cursor_count(&cursor, 10, &counts), CURSOR_IMPOSSIBLE, "%s", cases[i].name);
    cr_assert_eq(counts.acknowledged, 0, "%s", cases[i].name);
    cr_assert_eq(cursor_advance(&cursor, &progress, true), CURSOR_IMPOSSIBLE, "%s", cases[i].name);
    cr_assert_arr_eq(&cursor, &cases[i].cursor, sizeof cursor, "%s", cases[i].name);
  }
}

Test(cursor, more_acknowledged_than_marked_is_a_finding_and_not_clamped) {
  struct cursor cursor = at_line(10, 0);
  struct cursor_counts counts;

  cr_assert_eq(cursor_count(&cursor, 9, &counts), CURSOR_IMPOSSIBLE);
  cr_assert_eq(cursor_count(&cursor, 10, &counts), 0);
}
