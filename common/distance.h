/* distance.h - the known word a mistyped one was probably meant to be.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_COMMON_DISTANCE_H
#define KAIZEN_COMMON_DISTANCE_H

#include "common/span.h"

/* The edit distance of `a` and `b`, 0 when they are equal except for the case of ASCII letters.  A
 * byte too few, too many or swapped with its neighbour costs 2, a wrong one 3: so a shortened word
 * is nearer to the long one than to an unrelated one of its own length.  Only the first 64 bytes of
 * each are compared. */
unsigned distance_between(struct span a, struct span b);

/* The nearest of `words` (the first among equals); NULL only when count is 0. */
const char *distance_nearest(struct span word, const char *const *words, size_t count);

#endif
