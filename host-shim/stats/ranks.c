/* ranks.c - durations and scores by their order: medians, quantiles, and whether two groups differ.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "stats/ranks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_doubles(const void *one, const void *other) {
  double a = *(const double *)one, b = *(const double *)other;

  return (a > b) - (a < b);
}

void ranks_sort(double *values, size_t count) {
  qsort(values, count, sizeof *values, compare_doubles);
}

double ranks_quantile(const double *sorted, size_t count, double share) {
  if (count == 0)
    return 0;
  double place = ceil(share * (double)count);
  size_t i = place < 1 ? 0 : (size_t)place - 1;
  return sorted[i < count ? i : count - 1];
}

struct placed {
  double value;
  size_t place;
};

static int compare_placed(const void *one, const void *other) {
  return compare_doubles(&((const struct placed *)one)->value,
                         &((const struct placed *)other)->value);
}

int ranks_of(const double *values, size_t count, double *ranks, double *ties) {
  struct placed *sorted = calloc(count + 1, sizeof *sorted);

  if (!sorted)
    return -1;
  for (size_t i = 0; i < count; i++)
    sorted[i] = (struct placed){.value = values[i], .place = i};
  qsort(sorted, count, sizeof *sorted, compare_placed);
  *ties = 0;
  for (size_t begin = 0, end; begin < count; begin = end) {
    for (end = begin + 1; end < count && sorted[end].value <= sorted[begin].value;)
      end++;
    double equal = (double)(end - begin);
    for (size_t i = begin; i < end; i++)
      ranks[sorted[i].place] = (double)(begin + end + 1) / 2;
    *ties += equal * equal * equal - equal;
  }
  free(sorted);
  return 0;
}

double ranks_z(double part_rank_sum, size_t part, size_t count, double ties) {
  double n = (double)part, all = (double)count, rest = all - n;
  double off = part_rank_sum - n * (all + 1) / 2;
  double variance = n * rest / 12 * (all + 1 - ties / (all * (all - 1)));

  if (count < 2 || variance <= 0)
    return 0;
  off = off > 0.5 ? off - 0.5 : off < -0.5 ? off + 0.5 : 0;
  return off / sqrt(variance);
}

double ranks_p(double z) {
  return erfc(fabs(z) / sqrt(2));
}

int ranks_differ_p(const double *one, size_t one_count, const double *other, size_t other_count,
                   double *p) {
  size_t count = one_count + other_count;
  double *all = calloc(2 * count + 1, sizeof *all), ties, sum = 0;

  *p = 1;
  if (!all)
    return -1;
  double *ranks = all + count;
  memcpy(all, one, one_count * sizeof *all);
  memcpy(all + one_count, other, other_count * sizeof *all);
  int result = ranks_of(all, count, ranks, &ties);
  for (size_t i = 0; result == 0 && i < one_count; i++)
    sum += ranks[i];
  if (result == 0 && one_count > 0 && other_count > 0)
    *p = ranks_p(ranks_z(sum, one_count, count, ties));
  free(all);
  return result;
}
