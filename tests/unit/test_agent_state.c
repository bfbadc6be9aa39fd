/* test_agent_state.c - what was acknowledged survives torn pages, and does not follow a copied
 * tree.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/fold.h"
#include "store/agent_state.h"

#define PAGE 4096

static const unsigned char here[16] = {1, 2, 3}, elsewhere[16] = {9, 9, 9};
static char path[] = "/tmp/kaizen-state-XXXXXX";
static int folder = -1;

static void make_folder(void) {
  cr_assert_not_null(mkdtemp(path));
  folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  cr_assert_geq(folder, 0);
}

static void remove_folder(void) {
  (void)unlinkat(folder, ".state", 0);
  (void)close(folder);
  (void)rmdir(path);
}

TestSuite(agent_state, .init = make_folder, .fini = remove_folder);

static struct agent_state load(int expected) {
  struct agent_state state;
  struct error error = {0};
  bool damaged;

  cr_assert_eq(agent_state_load(folder, &state, &damaged, &error), expected, "%s", error.text);
  return state;
}

static void store(struct agent_state *state, bool sync) {
  struct error error = {0};

  cr_assert_eq(agent_state_store(folder, state, sync, &error), 0, "%s", error.text);
}

/* Turns one bit of page 0 or 1. */
static void damage(unsigned page, off_t offset) {
  int fd = openat(folder, ".state", O_RDWR | O_CLOEXEC);
  unsigned char byte;

  cr_assert_eq(pread(fd, &byte, 1, (off_t)page * PAGE + offset), 1);
  byte ^= 4;
  cr_assert_eq(pwrite(fd, &byte, 1, (off_t)page * PAGE + offset), 1);
  (void)close(fd);
}

static struct fold marked_fold(uint64_t marked) {
  struct fold fold;

  fold_init(&fold);
  fold.marked = marked;
  fold.last_marked_end = 100 * marked;
  memset(fold.last_marked_id, 7, sizeof fold.last_marked_id);
  return fold;
}

static struct agent_state claim(const unsigned char id[16], const struct fold *fold,
                                bool expected) {
  struct agent_state state;
  struct error error = {0};
  bool changed;

  cr_assert_eq(agent_state_claim(folder, id, fold, false, &state, &changed, &error), 0, "%s",
               error.text);
  cr_assert_eq(changed, expected);
  return state;
}

Test(agent_state, none_is_a_condition_and_no_error) {
  load(1);
}

Test(agent_state, every_field_comes_back) {
  struct agent_state state, back;
  unsigned char *bytes = (unsigned char *)&state;

  for (size_t i = 0; i < sizeof state; i++)
    bytes[i] = (unsigned char)(i * 31 + 7);
  state.cursor.recent_count = CURSOR_RECENT; /* more is damage */
  state.cursor.mark_count = CURSOR_MARKS;
  store(&state, true);
  back = load(0);
  cr_assert_eq(back.sequence, state.sequence);
  cr_assert_eq(back.cursor.epoch, state.cursor.epoch);
  cr_assert_arr_eq(back.project_id, state.project_id, 16);
  cr_assert_eq(back.cursor.end, state.cursor.end);
  cr_assert_eq(back.cursor.marked, state.cursor.marked);
  cr_assert_eq(back.cursor.recent_count, state.cursor.recent_count);
  cr_assert_arr_eq(back.cursor.recent, state.cursor.recent, sizeof state.cursor.recent);
  cr_assert_eq(back.cursor.held_count, state.cursor.held_count);
  cr_assert_eq(back.cursor.held_from_end, state.cursor.held_from_end);
  cr_assert_eq(back.cursor.held_from_marked, state.cursor.held_from_marked);
  cr_assert_arr_eq(back.cursor.held_from_id, state.cursor.held_from_id, 16);
  cr_assert_eq(back.retention.clock_s, state.retention.clock_s);
  cr_assert_eq(back.retention.read_s, state.retention.read_s);
  cr_assert_eq(back.cursor.dead_lettered, state.cursor.dead_lettered);
  cr_assert_eq(back.lost_by_rewrite, state.lost_by_rewrite);
  cr_assert_eq(back.store_lost, state.store_lost);
  cr_assert_eq(back.last_stream_seq, state.last_stream_seq);
  cr_assert_eq(back.last_acknowledged_unix_ns, state.last_acknowledged_unix_ns);
  cr_assert_eq(back.cursor.mark_count, state.cursor.mark_count);
  for (unsigned i = 0; i < CURSOR_MARKS; i++) {
    cr_assert_eq(back.cursor.marks[i].time_s, state.cursor.marks[i].time_s);
    cr_assert_arr_eq(back.cursor.marks[i].id, state.cursor.marks[i].id, 16);
  }
}

Test(agent_state, a_torn_page_costs_the_newer_one_only) {
  struct agent_state state = {.lost_by_rewrite = 1};
  static const off_t places[] = {0, 8, 16, 100, 2000, 4095};

  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    store(&state, false);
    state.lost_by_rewrite++;
    store(&state, false);
    damage((unsigned)(state.sequence % 2), places[i]);
    state = load(0);
    cr_assert_eq(state.lost_by_rewrite, i + 1, "damage at %ld: %llu", (long)places[i],
                 (unsigned long long)state.lost_by_rewrite);
    state.lost_by_rewrite++;
  }
}

Test(agent_state, the_store_after_a_torn_page_repairs_it) {
  struct agent_state state = {.lost_by_rewrite = 1};

  store(&state, false);
  store(&state, false);
  damage(0, 50);
  state = load(0);
  store(&state, false);
  store(&state, false);
  damage((unsigned)(state.sequence % 2), 50);
  cr_assert_eq(load(0).sequence, state.sequence - 1);
}

Test(agent_state, two_torn_pages_are_damage_and_not_trusted) {
  struct agent_state state = {.lost_by_rewrite = 1};
  struct error error = {0};
  bool damaged;

  store(&state, false);
  store(&state, false);
  damage(0, 50);
  damage(1, 50);
  cr_assert_eq(agent_state_load(folder, &state, &damaged, &error), 1);
  cr_assert(damaged);
}

Test(agent_state, a_short_file_is_damage_and_no_error) {
  int fd = openat(folder, ".state", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  cr_assert_eq(write(fd, "kznstate", 8), 8);
  (void)close(fd);
  load(1);
}

Test(agent_state, a_claim_of_a_new_log_holds_nothing) {
  struct fold fold = marked_fold(0);
  struct agent_state state = claim(here, &fold, true);

  cr_assert_eq(state.cursor.held_count, 0);
  cr_assert_eq(state.cursor.marked, 0);
  cr_assert_eq(state.cursor.recent_count, 0);
  claim(here, &fold, false);
}

Test(agent_state, a_claim_holds_what_a_log_without_a_state_brought_along) {
  struct fold fold = marked_fold(5);
  struct agent_state state = claim(here, &fold, true);

  cr_assert_eq(state.cursor.held_count, 5);
  cr_assert_eq(state.cursor.marked, 5);
  cr_assert_eq(state.cursor.end, 500);
  cr_assert_arr_eq(state.cursor.recent[0], fold.last_marked_id, 16);
}

Test(agent_state, a_claim_by_a_copied_tree_holds_everything_and_keeps_the_retention_clock) {
  struct fold fold = marked_fold(0);
  struct agent_state original = claim(here, &fold, true), copy;
  struct cursor_progress progress;

  cursor_progress_begin(&progress, original.cursor.epoch, cursor_line_id(&original.cursor), 0);
  cursor_progress_pass(&progress, here, 100, false);
  cursor_progress_pass(&progress, elsewhere, 200, true);
  cr_assert_eq(cursor_advance(&original.cursor, &progress, true), 0);
  original.retention.clock_s = 12345;
  original.last_stream_seq = 77;
  store(&original, false);
  fold = marked_fold(9);
  copy = claim(elsewhere, &fold, true);
  cr_assert_eq(copy.cursor.held_count, 9);
  cr_assert_eq(copy.cursor.dead_lettered, 0);
  cr_assert_eq(copy.last_stream_seq, 0);
  cr_assert_eq(copy.retention.clock_s, 12345);
  cr_assert_gt(copy.sequence, original.sequence);
  cr_assert_neq(copy.cursor.epoch, original.cursor.epoch);
  cr_assert_arr_eq(load(0).project_id, elsewhere, 16);
}

Test(agent_state, a_state_made_anew_has_another_epoch_than_the_removed_one) {
  struct fold fold = marked_fold(0);
  uint64_t epoch = claim(here, &fold, true).cursor.epoch;

  cr_assert_eq(unlinkat(folder, ".state", 0), 0);
  cr_assert_neq(claim(here, &fold, true).cursor.epoch, epoch);
}

Test(agent_state, a_link_in_its_place_is_refused_and_not_followed) {
  struct agent_state state = {0};
  struct error error = {0};
  bool damaged;

  cr_assert_eq(symlinkat("/etc/hostname", folder, ".state"), 0);
  cr_assert_eq(agent_state_load(folder, &state, &damaged, &error), -1);
  cr_assert_eq(agent_state_store(folder, &state, false, &error), -1);
}

Test(agent_state, the_store_after_the_greatest_sequence_counts) {
  struct agent_state state = {.sequence = UINT64_MAX - 1, .cursor = {.epoch = 7}};

  store(&state, false);
  cr_assert_eq(load(0).sequence, UINT64_MAX);
  state.cursor.epoch = 8;
  store(&state, false);
  cr_assert_eq(load(0).cursor.epoch, 8);
  cr_assert_eq(load(0).sequence, 0);
}
