/* share.h - shares: how many of a number of runs succeeded, and how certain that is.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_SHARE_H
#define KAIZEN_HOST_SHARE_H

#include <stddef.h>

struct share {
  size_t count, successes; /* successes <= count */
};

/* 0 when nothing is counted. */
double share_rate(struct share share);
/* Wilson's 95% interval of the rate; 0 to 1 when nothing is counted. */
void share_interval(struct share share, double *low, double *high);
/* Fisher's exact test, one-sided: the probability that, by chance, `part` gets as few of all
 * successes as it has, or fewer. */
double share_fewer_p(struct share part, struct share rest);
/* The same for both directions: twice the smaller of the two, at most 1. */
double share_differ_p(struct share one, struct share other);

#endif
