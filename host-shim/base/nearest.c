/* nearest.c - the word that was probably meant.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include <string.h>

#include "common/distance.h"

/* Longer words are not typing errors; common/distance.h counts 2 for a letter too few, too
 * many or swapped, 3 for a wrong one. */
enum { WORD_MAX = 48, ERROR_COST = 3, NEAR_COST = 2 };

static struct span span_of(const char *text) {
  return (struct span){text, strlen(text)};
}

struct nearest nearest_to(const char *word) {
  return (struct nearest){.word = word, .best = NULL, .distance = 0};
}

void nearest_offer(struct nearest *nearest, const char *candidate) {
  size_t word_len = strlen(nearest->word);
  size_t candidate_len = strlen(candidate);

  if (word_len == 0 || word_len > WORD_MAX || candidate_len > WORD_MAX)
    return;
  unsigned distance = distance_between(span_of(nearest->word), span_of(candidate));
  size_t shorter = word_len < candidate_len ? word_len : candidate_len;
  size_t allowed = ERROR_COST * (1 + shorter / 4);
  if (word_len >= 3 && strncmp(candidate, nearest->word, word_len) == 0)
    distance = NEAR_COST; /* a beginning of it */
  if (distance <= allowed && (!nearest->best || distance < nearest->distance)) {
    nearest->best = candidate;
    nearest->distance = distance;
  }
}
