/* nearest.h - the word that was probably meant.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_NEAREST_H
#define KAIZEN_HOST_NEAREST_H

#include <stddef.h>

/* A running search: offer the candidates one by one, then look at `best`. */
struct nearest {
  const char *word;  /* what was written; borrowed */
  const char *best;  /* nearest candidate so far, borrowed; NULL when none is near enough */
  unsigned distance; /* of `best` */
};

struct nearest nearest_to(const char *word);
void nearest_offer(struct nearest *nearest, const char *candidate);

#endif
