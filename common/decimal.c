/* decimal.c - between doubles and decimal digits, exactly.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Three ways to the shortest digits, tried in this order:
 *   short     v = n / 10^k with n of at most 15 digits, found by trying; most scores and times
 *   exact     integer arithmetic in 128 bits, for 1e-10 <= v < 1e16; means and rates
 *   library   snprintf() and strtod() until a text reads back equal; the rest
 * Tables as in Ryu would make the third as fast as the second, for 10 KiB that no record needs. */
#include "common/decimal.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 uint128;

enum { FRACTION_BITS = 52, EXPONENT_BIAS = 1075 };

/* value = mantissa * 2^exponent */
struct binary {
  uint64_t mantissa;
  int exponent;
  bool narrow; /* the gap below is half the gap above: a power of two */
};

static struct binary binary_of(double value) {
  uint64_t bits;

  memcpy(&bits, &value, sizeof bits);
  uint64_t fraction = bits & ((UINT64_C(1) << FRACTION_BITS) - 1);
  int exponent = (int)(bits >> FRACTION_BITS & 0x7FF);
  if (exponent == 0)
    return (struct binary){fraction, 1 - EXPONENT_BIAS, false};
  return (struct binary){fraction | UINT64_C(1) << FRACTION_BITS, exponent - EXPONENT_BIAS,
                         fraction == 0 && exponent > 1};
}

static struct decimal without_zeros(uint64_t digits, int exponent) {
  if (digits == 0)
    return (struct decimal){0, 0};
  while (digits % 10 == 0) {
    digits /= 10;
    exponent++;
  }
  return (struct decimal){digits, exponent};
}

/* Two decimals of at most 15 digits are never the same double, so one that reads back is the
 * shortest. Reading back is one division: both sides are exact, so it rounds once. */
static bool try_short(double value, struct decimal *out) {
  static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

  for (int k = 0; k < (int)(sizeof powers / sizeof powers[0]); k++) {
    double scaled = value * powers[k];

    if (scaled >= 1e15)
      return false;
    uint64_t n = (uint64_t)(scaled + 0.5);
    if ((double)n / powers[k] == value) {
      *out = without_zeros(n, -k);
      return true;
    }
  }
  return false;
}

static uint64_t power_of_5(int k) {
  uint64_t power = 1, base = 5;

  for (; k > 0; k >>= 1, base *= base)
    if (k & 1)
      power *= base;
  return power;
}

/* v * 10^places and the ends of the interval that reads back as v, as integers over 2^shift. */
struct scaled {
  uint128 value, low, high;
  int shift;
};

static struct scaled scale(struct binary v, int places) {
  uint64_t five = power_of_5(places);

  uint128 value = (uint128)(4 * v.mantissa) * five;
  return (struct scaled){value, value - (uint128)(v.narrow ? 1 : 2) * five,
                         value + 2 * (uint128)five, 2 - v.exponent - places};
}

/* floor(log10(2^n)) for |n| < 90: floor(log10(v)) or one less for 2^n <= v < 2^(n+1). */
static int decimal_exponent(int n) {
  int product = n * 1233; /* 1233 / 4096 is log10(2) to five places */

  return product >= 0 ? product / 4096 : -((4095 - product) / 4096);
}

/* The decimal with the fewest digits among first..last (17-digit integers, not empty) that is
 * closest to floor + (a fraction compared to one half by `half`: -1 below, 0 equal, 1 above;
 * `exact`: the fraction is 0). */
static struct decimal pick(uint64_t first, uint64_t last, uint64_t floor, int half, bool exact,
                           int exponent) {
  uint64_t unit = 1;
  while ((first + 9) / 10 <= last / 10) {
    first = (first + 9) / 10;
    last /= 10;
    unit *= 10;
    exponent++;
  }
  uint64_t digits = floor / unit, rest = floor % unit;
  if (unit > 1)
    half = rest != unit / 2 ? (rest < unit / 2 ? -1 : 1) : exact ? 0 : 1;
  if (half > 0 || (half == 0 && digits % 2 == 1))
    digits++;
  digits = digits < first ? first : digits > last ? last : digits;
  return without_zeros(digits, exponent);
}

/* 1e-10 <= value < 1e16: 17 digits need at most 5^27 < 2^63, so all products stay below 2^119, and
 * shift is at least 0. */
static struct decimal shortest_exact(double value) {
  struct binary v = binary_of(value);
  int places = 16 - decimal_exponent(v.exponent + FRACTION_BITS);
  struct scaled s = scale(v, places);

  if ((uint64_t)(s.value >> s.shift) >= UINT64_C(100000000000000000))
    s = scale(v, --places);
  uint128 mask = ((uint128)1 << s.shift) - 1, rest = s.value & mask;
  bool closed = v.mantissa % 2 == 0; /* ties go to even: then the ends read back as v too */
  uint64_t first = (uint64_t)(s.low >> s.shift) + ((s.low & mask) != 0 || !closed);
  uint64_t last = (uint64_t)(s.high >> s.shift) - ((s.high & mask) == 0 && !closed);
  uint128 twice = rest << 1, one = (uint128)1 << s.shift;
  int half = twice < one ? -1 : twice > one;
  return pick(first, last, (uint64_t)(s.value >> s.shift), half, rest == 0, -places);
}

/* The `count`-digit decimal nearest to value. No decimal point is read or written in the host's
 * locale. */
static struct decimal nearest_of(double value, int count) {
  char text[40];
  struct decimal number = {0, 0};

  snprintf(text, sizeof text, "%.*e", count - 1, value);
  const char *at = text;
  for (; *at && *at != 'e'; at++)
    if (*at >= '0' && *at <= '9')
      number.digits = number.digits * 10 + (uint64_t)(*at - '0');
  number.exponent = (int)strtol(at + (*at == 'e'), NULL, 10) - (count - 1);
  return number;
}

static bool reads_back(struct decimal number, double value) {
  char text[40];

  snprintf(text, sizeof text, "%llue%d", (unsigned long long)number.digits, number.exponent);
  return strtod(text, NULL) == value;
}

static struct decimal shortest_by_library(double value) {
  struct decimal number = {0, 0};
  int saved_errno = errno;

  for (int count = 1; count <= DBL_DECIMAL_DIG; count++) {
    number = nearest_of(value, count);
    if (reads_back(number, value))
      break;
    /* Above a power of two the gap is twice as wide: the next decimal up may read back where the
     * nearest, below, does not. */
    number.digits++;
    if (reads_back(number, value))
      break;
  }
  errno = saved_errno;
  return without_zeros(number.digits, number.exponent);
}

struct decimal decimal_shortest(double value) {
  struct decimal number;
  double magnitude = value < 0 ? -value : value;

  if (magnitude == 0)
    return (struct decimal){0, 0};
  if (try_short(magnitude, &number))
    return number;
  if (magnitude >= 1e-10 && magnitude < 1e16)
    return shortest_exact(magnitude);
  return shortest_by_library(magnitude);
}

/* From decimal digits to a double. */

static int bit_length(uint128 number) {
  uint64_t high = (uint64_t)(number >> 64), low = (uint64_t)number;

  return high ? 128 - __builtin_clzll(high) : low ? 64 - __builtin_clzll(low) : 0;
}

/* number * 2^exponent, and `more`: a little above that.  Far from the ends of a double's range. */
static double round_binary(uint128 number, bool more, int exponent) {
  int drop = bit_length(number) - (FRACTION_BITS + 1);

  if (drop <= 0)
    return ldexp((double)(uint64_t)number, exponent);
  uint128 half = (uint128)1 << (drop - 1), rest = number & ((half << 1) - 1);
  uint64_t mantissa = (uint64_t)(number >> drop);
  if (rest > half || (rest == half && (more || mantissa % 2 == 1)))
    mantissa++;
  return ldexp((double)mantissa, exponent + drop);
}

bool decimal_nearest(uint64_t digits, int exponent, double *out) {
  const int power_max = 19; /* 10^19 < 2^64 */
  uint64_t power = 1;

  if (exponent < -power_max || exponent > power_max)
    return false;
  for (int k = exponent < 0 ? -exponent : exponent; k > 0; k--)
    power *= 10;
  if (digits == 0) {
    *out = 0;
  } else if (exponent >= 0) {
    *out = round_binary((uint128)digits * power, false, 0);
  } else { /* 128 bits over 64 leave at least 63: more than a double has; the rest decides ties */
    int shift = 64 + __builtin_clzll(digits);
    uint128 number = (uint128)digits << shift;
    *out = round_binary(number / power, number % power != 0, -shift);
  }
  return true;
}
