/* share.c - shares: how many of a number of runs succeeded, and how certain that is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "stats/share.h"

#include <math.h>
#include <stdbool.h>

static const double Z_95 = 1.959963984540054; /* of the normal distribution, two-sided */

double share_rate(struct share share) {
  return share.count > 0 ? (double)share.successes / (double)share.count : 0;
}

void share_interval(struct share share, double *low, double *high) {
  double n = (double)share.count, rate = share_rate(share), z2 = Z_95 * Z_95;

  *low = 0;
  *high = 1;
  if (share.count == 0)
    return;
  double middle = (rate + z2 / (2 * n)) / (1 + z2 / n);
  double half = Z_95 / (1 + z2 / n) * sqrt(rate * (1 - rate) / n + z2 / (4 * n * n));
  *low = share.successes == 0 ? 0 : middle - half;
  *high = share.successes == share.count ? 1 : middle + half;
}

static double log_choose(double n, double k) {
  int sign; /* lgamma() itself writes a global */

  return lgamma_r(n + 1, &sign) - lgamma_r(k + 1, &sign) - lgamma_r(n - k + 1, &sign);
}

/* The tail of the hypergeometric distribution, term by term: each is the one before times a ratio
 * of whole numbers.  Terms are added away from the mode, where they only become smaller: above it,
 * the first of a tail that goes down may be too small for a double, and the tail nearly 1. */
double share_fewer_p(struct share part, struct share rest) {
  double n = (double)part.count, all = n + (double)rest.count;
  double good = (double)(part.successes + rest.successes), bad = all - good;
  bool goes_down = (double)part.successes * all < good * n;
  double k = (double)part.successes + (goes_down ? 0 : 1);

  if (k > good || k > n)
    return 1;
  double term = exp(log_choose(good, k) + log_choose(bad, n - k) - log_choose(all, n));
  double sum = term;
  while (term > sum * 1e-15) {
    term *= goes_down ? k * (bad - (n - k)) / ((good - k + 1) * (n - k + 1))
                      : (good - k) * (n - k) / ((k + 1) * (bad - (n - k) + 1));
    k += goes_down ? -1 : 1;
    sum += term;
  }
  return goes_down ? fmin(sum, 1) : fmax(1 - sum, 0);
}

double share_differ_p(struct share one, struct share other) {
  double fewer = share_fewer_p(one, other), more = share_fewer_p(other, one);
  double p = 2 * (fewer < more ? fewer : more);

  return p < 1 ? p : 1;
}
