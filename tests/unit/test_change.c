/* test_change.c - what the numbers carry: exact values against published ones, and how often a
 * change is named that is none, and how soon one that is.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Counts over histories made with fixed seeds.  KAIZEN_FIGURES names a file that they are appended
 * to, as lines "name value unit". */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "stats/change.h"
#include "stats/ranks.h"
#include "stats/share.h"

TestSuite(change);

/* ---- histories ------------------------------------------------------------------------------- */

static uint64_t random_state;

static double chance(void) { /* xorshift64*: the same everywhere */
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return (double)((random_state * UINT64_C(2685821657736338717)) >> 11) * 0x1p-53;
}

enum { ROOM = 2200 };

static void make_runs(bool *runs, size_t from, size_t to, double rate) {
  for (size_t i = from; i < to; i++)
    runs[i] = chance() < rate;
}

static enum change_verdict verdict_on(const bool *runs, size_t count) {
  struct change change;

  change_of_successes(runs, count, &change);
  return change.verdict;
}

static bool is_named(enum change_verdict verdict) {
  return verdict == CHANGE_WORSE || verdict == CHANGE_BETTER;
}

static void tell(const char *name, double value, const char *unit) {
  const char *file = getenv("KAIZEN_FIGURES");
  FILE *out = file ? fopen(file, "a") : NULL;

  if (out) {
    (void)fprintf(out, "%s %.4f %s\n", name, value, unit);
    (void)fclose(out);
  }
  (void)fprintf(stderr, "%s %.4f %s\n", name, value, unit);
}

/* ---- how often it is wrong, how soon it is right --------------------------------------------- */

Test(change, no_more_than_two_of_a_hundred_histories_without_a_change_cry_wolf) {
  const unsigned histories = 6000;
  unsigned worse = 0, better = 0;
  bool runs[ROOM];

  random_state = 20261127;
  for (unsigned i = 0; i < histories; i++) {
    size_t count = 20 + (size_t)(chance() * 281);

    make_runs(runs, 0, count, 0.5 + 0.49 * chance());
    worse += verdict_on(runs, count) == CHANGE_WORSE;
    better += verdict_on(runs, count) == CHANGE_BETTER;
  }
  tell("change.false_worse", 100.0 * worse / histories, "percent");
  tell("change.false_any", 100.0 * (worse + better) / histories, "percent");
  cr_assert_leq(worse + better, histories * 15 / 1000, "%u and %u of %u", worse, better, histories);
}

Test(change, a_drop_from_ninety_to_fifty_percent_is_told_within_fifteen_runs_in_nine_of_ten) {
  const unsigned histories = 2000;
  unsigned told = 0, stays = 0, at_twenty = 0, misplaced = 0;
  struct change change;
  bool runs[ROOM];

  random_state = 15;
  for (unsigned i = 0; i < histories; i++) {
    size_t after = 1;

    make_runs(runs, 0, 200, 0.9);
    make_runs(runs, 200, 225, 0.5);
    while (after <= 15 && verdict_on(runs, 200 + after) != CHANGE_WORSE)
      after++;
    told += after <= 15;
    stays += after <= 15 && verdict_on(runs, 200 + after + 10) == CHANGE_WORSE;
    change_of_successes(runs, 220, &change);
    at_twenty += change.verdict == CHANGE_WORSE;
    misplaced += change.verdict == CHANGE_WORSE && (change.since < 190 || change.since > 210);
  }
  tell("change.told_within_15", 100.0 * told / histories, "percent");
  tell("change.told_after_10_more", 100.0 * stays / told, "percent");
  tell("change.told_at_20", 100.0 * at_twenty / histories, "percent");
  tell("change.dated_within_10", 100.0 * (at_twenty - misplaced) / at_twenty, "percent");
  cr_assert_geq(told, histories * 9 / 10, "%u of %u", told, histories);
  cr_assert_geq(at_twenty, histories * 9 / 10, "%u of %u", at_twenty, histories);
  cr_assert_leq(misplaced, histories / 10, "%u of %u begin elsewhere", misplaced, histories);
}

/* So small a drop looks like chance; the page says so, and that a limit finds it. */
Test(change, a_drop_from_ninety_to_eighty_percent_is_mostly_not_told) {
  const unsigned histories = 1000;
  unsigned at_twenty = 0, at_fifty = 0, at_hundred = 0;
  bool runs[ROOM];

  random_state = 80;
  for (unsigned i = 0; i < histories; i++) {
    make_runs(runs, 0, 200, 0.9);
    make_runs(runs, 200, 300, 0.8);
    at_twenty += verdict_on(runs, 220) == CHANGE_WORSE;
    at_fifty += verdict_on(runs, 250) == CHANGE_WORSE;
    at_hundred += verdict_on(runs, 300) == CHANGE_WORSE;
  }
  tell("change.small_told_at_20", 100.0 * at_twenty / histories, "percent");
  tell("change.small_told_at_50", 100.0 * at_fifty / histories, "percent");
  tell("change.small_told_at_100", 100.0 * at_hundred / histories, "percent");
  cr_assert_geq(at_hundred, histories / 10, "%u of %u", at_hundred, histories);
  cr_assert_leq(at_hundred, histories / 2, "%u of %u", at_hundred, histories);
}

Test(change, who_looks_after_every_run_sees_more_and_most_of_it_is_gone_ten_runs_later) {
  const unsigned histories = 2000;
  unsigned any = 0, stays = 0;
  bool runs[ROOM];

  random_state = 140;
  for (unsigned i = 0; i < histories; i++) {
    size_t count = 161;

    make_runs(runs, 0, 310, 0.5 + 0.49 * chance());
    while (count <= 300 && !is_named(verdict_on(runs, count)))
      count++;
    if (count > 300)
      continue;
    any++;
    stays += is_named(verdict_on(runs, count + 10));
  }
  tell("change.false_within_140", 100.0 * any / histories, "percent");
  tell("change.false_after_10_more", 100.0 * stays / any, "percent");
  cr_assert_leq(any, histories * 40 / 100, "%u of %u", any, histories);
  cr_assert_leq(stays, any / 4, "%u of %u", stays, any);
}

Test(change, durations_and_scores_cry_wolf_less_than_once_in_two_hundred) {
  const unsigned histories = 3000;
  struct value_change change;
  unsigned named = 0, slower = 0;
  double values[ROOM];

  random_state = 7;
  for (unsigned i = 0; i < histories; i++) {
    size_t count = 20 + (size_t)(chance() * 281);
    bool coarse = i % 2;

    for (size_t run = 0; run < count; run++) {
      double value = exp(4 + 2 * (chance() + chance() + chance() - 1.5));
      values[run] = coarse ? floor(value / 20) : value; /* with many equal ones */
    }
    cr_assert_eq(change_of_values(values, count, false, &change), 0);
    named += is_named(change.verdict);
    for (size_t run = count; run < count + 30; run++)
      values[run] = 3 * values[(run * 7) % count];
    cr_assert_eq(change_of_values(values, count + 30, false, &change), 0);
    slower += change.verdict == CHANGE_WORSE;
  }
  tell("change.false_values", 100.0 * named / histories, "percent");
  tell("change.slower_told", 100.0 * slower / histories, "percent");
  cr_assert_leq(named, histories / 200, "%u of %u", named, histories);
  cr_assert_geq(slower, histories * 7 / 10, "%u of %u", slower, histories);
}

/* ---- what is said ---------------------------------------------------------------------------- */

Test(change, it_is_named_with_its_numbers_and_its_first_run) {
  struct change change;
  bool runs[ROOM];

  make_runs(runs, 0, 200, 2);
  make_runs(runs, 200, 220, 0);
  change_of_successes(runs, 220, &change);
  cr_assert_eq(change.verdict, CHANGE_WORSE);
  cr_assert_eq(change.since, 200);
  cr_assert(change.before.count == 200 && change.before.successes == 200);
  cr_assert(change.after.count == 20 && change.after.successes == 0);
  cr_assert_lt(change.p, 1e-20);
}

Test(change, of_several_the_latest_is_named_against_what_came_just_before) {
  struct change change;
  bool runs[ROOM];

  make_runs(runs, 0, 300, 2);
  make_runs(runs, 300, 400, 0);
  make_runs(runs, 400, 500, 2);
  change_of_successes(runs, 500, &change);
  cr_assert_eq(change.verdict, CHANGE_BETTER);
  cr_assert_eq(change.since, 400);
  cr_assert(change.before.count == 100 && change.before.successes == 0);
}

Test(change, of_a_long_history_the_newest_runs_are_looked_at) {
  static bool runs[10000];
  struct change change;

  make_runs(runs, 0, 10000, 2);
  runs[9990] = runs[9993] = runs[9994] = runs[9996] = runs[9999] = false;
  change_of_successes(runs, 10000, &change);
  cr_assert_eq(change.verdict, CHANGE_WORSE);
  cr_assert_eq(change.since, 9990);
  cr_assert_eq(change.before.count, CHANGE_HISTORY_MAX - 10);
}

Test(change, few_runs_are_too_few_to_tell) {
  struct value_change value_change;
  struct change change;
  double values[15] = {1, 1, 1, 1, 1, 1, 1, 1, 9, 9, 9, 9, 9, 9, 9};
  bool runs[ROOM];

  make_runs(runs, 0, 10, 2);
  make_runs(runs, 10, 15, 0);
  for (size_t count = 0; count < 15; count++)
    cr_assert_eq(verdict_on(runs, count), CHANGE_TOO_FEW, "%zu", count);
  change_of_successes(runs, 15, &change);
  cr_assert_eq(change.verdict, CHANGE_WORSE);
  cr_assert_eq(change.since, 10);
  cr_assert_eq(change_of_values(values, 15, true, &value_change), 0);
  cr_assert_eq(value_change.verdict, CHANGE_TOO_FEW);
}

/* Ranks alone would call each of them higher; "median 5, up from 10" would be no sentence. */
Test(change, values_have_changed_only_if_their_median_moved_the_same_way) {
  const struct {
    const char *name;
    double before[2], after[2]; /* 49 of 100 have the first, then 55 of 100 */
    enum change_verdict verdict;
  } cases[] = {
      {"up", {1, 10}, {12, 20}, CHANGE_BETTER},
      {"both medians are 0", {0, 0}, {0, 3}, CHANGE_NONE},
      {"down", {1, 10}, {5, 20}, CHANGE_NONE},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct value_change change;
    double values[200];

    for (size_t at = 0; at < 100; at++) {
      values[at] = cases[i].before[at * 37 % 100 < 49 ? 0 : 1];
      values[100 + at] = cases[i].after[at * 37 % 100 < 55 ? 0 : 1];
    }
    cr_assert_eq(change_of_values(values, 200, true, &change), 0);
    cr_expect_eq(change.verdict, cases[i].verdict, "%s: %s, median %g from %g", cases[i].name,
                 change_verdict_text(change.verdict), change.after_median, change.before_median);
  }
}

/* ---- the tests and figures below it ---------------------------------------------------------- */

static bool is_near(double value, double expected) {
  return fabs(value - expected) <= 1e-9 * fabs(expected) + 1e-300;
}

Test(change, fishers_exact_test_has_the_published_values) {
  const struct {
    struct share part, rest;
    double p; /* as of exact fractions */
  } cases[] = {
      {{4, 1}, {4, 3}, 17.0 / 70}, /* the lady tasting tea */
      {{12, 1}, {12, 9}, 0.0013797280926100418},
      {{5, 0}, {10, 10}, 1.0 / 3003},
      {{20, 0}, {200, 200}, 8.401246254437412e-29},
      {{10, 10}, {10, 0}, 1},
      {{0, 0}, {10, 5}, 1},
      {{7, 7}, {9, 9}, 1},
      {{20, 15}, {30, 20}, 0.8271350741873665},
      {{1000, 1000}, {1000, 0}, 1}, /* one such outcome alone is too rare for a double */
      {{1000, 900}, {1000, 100}, 1},
      {{3000, 1}, {3000, 2998}, 0},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double p = share_fewer_p(cases[i].part, cases[i].rest);

    cr_assert(is_near(p, cases[i].p), "%zu: %.15g, not %.15g", i, p, cases[i].p);
  }
}

Test(change, intervals_and_quantiles_have_the_published_values) {
  double low, high, sorted[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

  share_interval((struct share){10, 9}, &low, &high);
  cr_assert(fabs(low - 0.59585) < 1e-4 && fabs(high - 0.98212) < 1e-4, "%f %f", low, high);
  share_interval((struct share){0, 0}, &low, &high);
  cr_assert(low <= 0 && high >= 1);
  share_interval((struct share){20, 20}, &low, &high);
  cr_assert(low > 0.83 && low < 0.84 && high >= 1 && high <= 1);
  cr_assert_eq(ranks_quantile(sorted, 10, 0.5), 5);
  cr_assert_eq(ranks_quantile(sorted, 10, 0.95), 10);
  cr_assert_eq(ranks_quantile(sorted, 10, 0.9), 9);
  cr_assert_eq(ranks_quantile(sorted, 10, 0), 1);
  cr_assert_eq(ranks_quantile(sorted, 1, 1), 1);
  cr_assert_eq(ranks_quantile(sorted, 0, 0.5), 0);
}

Test(change, ranks_share_what_is_equal) {
  const double values[] = {3, 1, 3, 2, 3}, low[] = {1, 2, 3, 4, 5}, high[] = {6, 7, 8, 9, 10};
  double ranks[5], ties, p;

  cr_assert_eq(ranks_of(values, 5, ranks, &ties), 0);
  cr_assert(ranks[0] >= 4 && ranks[0] <= 4 && ranks[1] <= 1 && ranks[3] >= 2 && ranks[3] <= 2);
  cr_assert(ties >= 24 && ties <= 24);
  cr_assert_eq(ranks_differ_p(low, 5, high, 5, &p), 0);
  cr_assert(fabs(p - 0.0121857) < 1e-6, "%.7f", p);
  cr_assert_eq(ranks_differ_p(values, 5, values, 5, &p), 0);
  cr_assert(p > 0.9);
  cr_assert_eq(ranks_differ_p(values, 5, values, 0, &p), 0);
  cr_assert(p >= 1);
}
