/* change.c - has an agent changed, and since when: recent runs against those before.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two tests of the same runs.  A drop must be reported soon: so the last 5, 6, ... 20 runs are each
 * compared with all runs before them, by an exact test.  An older change is searched at every place
 * where the series can be cut in two, and the best cut counts; that makes far more comparisons, so
 * the limit is far stricter.  The limits were chosen together: the allowed false alarms are spent
 * where they find a drop from 90% to 50% soonest (tests/unit/test_change.c). */
#include "stats/change.h"

#include <math.h>
#include <stdlib.h>

#include "stats/ranks.h"

enum { RECENT_MAX = 20, SINCE_MIN = 3, SINCE_MAX = 80 };
static const double RECENT_P = 0.0055;       /* one-sided, of the recent runs */
static const double CUT_P = 0.0001;          /* one-sided, of the best cut */
static const double VALUES_P = 0.0002;       /* two-sided, of the best cut by ranks */
static const double VALUES_DIFFERENCE = 0.1; /* of the medians: a smaller change is not reported */

const char *change_verdict_text(enum change_verdict verdict) {
  static const char *const texts[] = {[CHANGE_TOO_FEW] = "too few to tell",
                                      [CHANGE_NONE] = "no change",
                                      [CHANGE_WORSE] = "worse",
                                      [CHANGE_BETTER] = "better"};

  return texts[verdict];
}

const char *change_verdict_name(enum change_verdict verdict) {
  return verdict == CHANGE_TOO_FEW ? "too_few"
         : verdict == CHANGE_NONE  ? "none"
                                   : change_verdict_text(verdict);
}

static double x_log_x(size_t x) {
  return x > 0 ? (double)x * log((double)x) : 0;
}

/* How well one rate explains these runs: the log-likelihood. */
static double likelihood(struct share share) {
  return x_log_x(share.successes) + x_log_x(share.count - share.successes) - x_log_x(share.count);
}

struct cut { /* a series cut in two */
  struct share before, after;
  double gain; /* in likelihood over one rate for both */
};

static bool is_worse(const struct cut *cut) {
  return share_rate(cut->after) < share_rate(cut->before);
}

/* One change of the series, if it has one: at the cut that explains it best when that is
 * significant by itself, else where a recent drop most likely began. */
static bool find_change(const bool *successes, size_t count, struct change *change) {
  struct cut cut = {.before = {.count = count}}, best = {.gain = -1}, drop = {.gain = -1};
  bool dropped = false;

  for (size_t i = 0; i < count; i++)
    cut.before.successes += successes[i];
  double level = likelihood(cut.before);
  for (size_t n = 1; n + CHANGE_BEFORE_MIN <= count; n++) {
    bool success = successes[count - n];

    cut.after = (struct share){cut.after.count + 1, cut.after.successes + success};
    cut.before = (struct share){cut.before.count - 1, cut.before.successes - success};
    cut.gain = likelihood(cut.before) + likelihood(cut.after) - level;
    if (n >= CHANGE_AFTER_MIN && cut.gain > best.gain)
      best = cut;
    if (n >= SINCE_MIN && n <= SINCE_MAX && is_worse(&cut) && cut.gain > drop.gain)
      drop = cut;
    if (n >= CHANGE_AFTER_MIN && n <= RECENT_MAX && is_worse(&cut))
      dropped = dropped || share_fewer_p(cut.after, cut.before) < RECENT_P;
  }
  if (best.gain < 0)
    return false;
  bool worse = is_worse(&best);
  double p =
      worse ? share_fewer_p(best.after, best.before) : share_fewer_p(best.before, best.after);
  if (p >= CUT_P) {
    if (!dropped)
      return false;
    best = drop;
    worse = true;
    p = share_fewer_p(drop.after, drop.before);
  }
  *change = (struct change){.verdict = worse ? CHANGE_WORSE : CHANGE_BETTER,
                            .since = best.before.count,
                            .before = best.before,
                            .after = best.after,
                            .p = p};
  return true;
}

/* After a change there may be a later one: what was good, then bad, then good again is better
 * now. */
void change_of_successes(const bool *successes, size_t count, struct change *change) {
  size_t start = count > CHANGE_HISTORY_MAX ? count - CHANGE_HISTORY_MAX : 0;
  struct change found;

  *change = (struct change){.verdict = CHANGE_NONE};
  if (count < CHANGE_AFTER_MIN + CHANGE_BEFORE_MIN)
    change->verdict = CHANGE_TOO_FEW;
  while (find_change(successes + start, count - start, &found)) {
    start += found.since;
    *change = found;
    change->since = start;
  }
}

static double median_of(const double *values, size_t count, double *room) {
  for (size_t i = 0; i < count; i++)
    room[i] = values[i];
  ranks_sort(room, count);
  return ranks_quantile(room, count, 0.5);
}

/* The cut with the largest deviation; 1 when it is significant. `room` has space for 2 * count. */
static int find_value_change(const double *values, size_t count, double *room,
                             struct value_change *change) {
  double *ranks = room, *sorted = room + count, ties, sum = 0, best_z = 0;
  size_t best = 0;

  if (ranks_of(values, count, ranks, &ties) != 0)
    return -1;
  for (size_t n = 1; n + CHANGE_VALUES_MIN <= count; n++) {
    sum += ranks[count - n];
    double z = n >= CHANGE_VALUES_MIN ? ranks_z(sum, n, count, ties) : 0;
    if (fabs(z) > fabs(best_z)) {
      best_z = z;
      best = n;
    }
  }
  if (best == 0 || ranks_p(best_z) >= VALUES_P)
    return 0;
  *change = (struct value_change){.verdict = best_z > 0 ? CHANGE_BETTER : CHANGE_WORSE,
                                  .since = count - best,
                                  .before_count = count - best,
                                  .after_count = best,
                                  .before_median = median_of(values, count - best, sorted),
                                  .after_median = median_of(values + count - best, best, sorted),
                                  .p = ranks_p(best_z)};
  double moved = (change->after_median - change->before_median) * (best_z > 0 ? 1 : -1);
  return moved > 0 && moved >= VALUES_DIFFERENCE * fabs(change->before_median);
}

int change_of_values(const double *values, size_t count, bool higher_is_better,
                     struct value_change *change) {
  size_t start = count > CHANGE_HISTORY_MAX ? count - CHANGE_HISTORY_MAX : 0;
  double *room = calloc(2 * (count - start) + 1, sizeof *room);
  struct value_change found;
  int result;

  *change = (struct value_change){.verdict = CHANGE_NONE};
  if (count < 2 * CHANGE_VALUES_MIN)
    change->verdict = CHANGE_TOO_FEW;
  if (!room)
    return -1;
  while ((result = find_value_change(values + start, count - start, room, &found)) == 1) {
    start += found.since;
    *change = found;
    change->since = start;
    if (!higher_is_better)
      change->verdict = found.verdict == CHANGE_BETTER ? CHANGE_WORSE : CHANGE_BETTER;
  }
  free(room);
  return result;
}
