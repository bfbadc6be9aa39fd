/* amount_text.c - shares, costs, counts and scores as people read them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/amount_text.h"

#include <math.h>
#include <stdio.h>

static const double GREATEST = 1e15; /* that is written in full */
static const double LEAST_USD = 0.0001;

void amount_text_percent(double share, int decimals, char out[AMOUNT_TEXT_MAX]) {
  double step = pow(10, -decimals), percent = share * 100;

  if (share > 0 && share < 1)
    percent = fmin(fmax(percent, step), 100 - step);
  snprintf(out, AMOUNT_TEXT_MAX, "%.*f%%", decimals, percent);
}

void amount_text_usd(double usd, int decimals, char out[AMOUNT_TEXT_MAX]) {
  if (usd > 0 && usd < LEAST_USD / 2)
    snprintf(out, AMOUNT_TEXT_MAX, "<$%.4f", LEAST_USD);
  else if (usd < GREATEST)
    snprintf(out, AMOUNT_TEXT_MAX, "$%.*f", usd > 0 && usd < 0.1 && decimals < 4 ? 4 : decimals,
             usd);
  else
    snprintf(out, AMOUNT_TEXT_MAX, "$%.3g", usd);
}

void amount_text_count(double count, char out[AMOUNT_TEXT_MAX]) {
  snprintf(out, AMOUNT_TEXT_MAX, count < GREATEST ? "%.0f" : "%.3g", count);
}

void amount_text_score(double score, char out[AMOUNT_TEXT_MAX]) {
  double shown = fabs(score) < 0.005 ? 0 : score; /* no "-0.00" */

  snprintf(out, AMOUNT_TEXT_MAX, fabs(score) < GREATEST ? "%.2f" : "%.3g", shown);
}

void amount_text_rate(double rate, char out[AMOUNT_TEXT_MAX]) {
  snprintf(out, AMOUNT_TEXT_MAX, rate >= 999.5 && rate < GREATEST ? "%.0f" : "%.3g", rate);
}
