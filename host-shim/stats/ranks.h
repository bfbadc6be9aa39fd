/* ranks.h - durations and scores by their order: medians, quantiles, and whether two groups differ.
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * By ranks, because one run that hung for a night must not outweigh the others. */
#ifndef KAIZEN_HOST_RANKS_H
#define KAIZEN_HOST_RANKS_H

#include <stddef.h>

void ranks_sort(double *values, size_t count);
/* The smallest value that at least `share` (0 to 1) of the sorted values do not exceed; 0 of none.
 * It is always one of the values. */
double ranks_quantile(const double *sorted, size_t count, double share);
/* The ranks of values from 1, equal ones sharing the mean of theirs, and *ties, what they take off
 * the variance: the sum of t^3 - t over groups of t equal ones.  -1 without memory. */
int ranks_of(const double *values, size_t count, double *ranks, double *ties);
/* How many standard deviations the rank sum of a part (`part` of `count` values) is from its
 * expected value: Wilcoxon and Mann-Whitney, corrected for ties and continuity. */
double ranks_z(double part_rank_sum, size_t part, size_t count, double ties);
/* The probability of a deviation of |z| or more by chance, two-sided. */
double ranks_p(double z);
/* Of two groups of values; *p is 1 when either is empty.  -1 without memory. */
int ranks_differ_p(const double *one, size_t one_count, const double *other, size_t other_count,
                   double *p);

#endif
