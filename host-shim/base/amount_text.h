/* amount_text.h - shares, costs, counts and scores as people read them.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Rounding does not turn something into nothing, nor nearly all into all; and a number that no
 * column has room for is written with an exponent, never cut. */
#ifndef KAIZEN_HOST_AMOUNT_TEXT_H
#define KAIZEN_HOST_AMOUNT_TEXT_H

enum { AMOUNT_TEXT_MAX = 32 };

/* "99.9%" of a share from 0 to 1; 100% only if it is 1, 0% only if it is 0. */
void amount_text_percent(double share, int decimals, char out[AMOUNT_TEXT_MAX]);
/* "$0.25"; below ten cents at least four decimals; "<$0.0001" for less. */
void amount_text_usd(double usd, int decimals, char out[AMOUNT_TEXT_MAX]);
/* "12345". */
void amount_text_count(double count, char out[AMOUNT_TEXT_MAX]);
/* "0.85". */
void amount_text_score(double score, char out[AMOUNT_TEXT_MAX]);
/* "3.38", "1234": three digits, and all before the point. */
void amount_text_rate(double rate, char out[AMOUNT_TEXT_MAX]);

#endif
