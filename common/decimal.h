/* decimal.h - between doubles and decimal digits, exactly.  Pure, independent of locale.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_COMMON_DECIMAL_H
#define KAIZEN_COMMON_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

/* |value| = digits * 10^exponent, digits without trailing zeros. */
struct decimal {
  uint64_t digits; /* at most 17 of them; 0 for zero */
  int exponent;
};

/* Of all decimals that read back as `value` (nearest, ties to even) those with the fewest digits,
 * of these the closest, of two equally close ones the even: the digits of Python's repr(). `value`
 * is finite; its sign is ignored. */
struct decimal decimal_shortest(double value);

/* digits * 10^exponent as the nearest double, ties to even. False: the exponent is not within
 * -19..19, *out untouched. */
bool decimal_nearest(uint64_t digits, int exponent, double *out);

#endif
