/* decimal.h - the shortest decimal digits of a double.  Pure, independent of locale.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BASE_DECIMAL_H
#define KAIZEN_BASE_DECIMAL_H

#include <stdint.h>

/* |value| = digits * 10^exponent, digits without trailing zeros. */
struct decimal {
  uint64_t digits; /* at most 17 of them; 0 for zero */
  int exponent;
};

/* Of all decimals that read back as `value` (nearest, ties to even) those with the fewest digits, of these the closest,
 * of two equally close ones the even: the digits of Python's repr().  `value` is finite; its sign is ignored. */
struct decimal decimal_shortest(double value);

#endif
