/* nearest.c - the word somebody probably meant.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include <string.h>

enum { WORD_MAX = 48 }; /* longer words are nobody's typing error */

static size_t smallest(size_t a, size_t b, size_t c) {
  size_t least = a < b ? a : b;

  return least < c ? least : c;
}

/* Optimal string alignment: insert, delete, replace, or swap two neighbours. */
static size_t distance_between(const char *a, size_t a_len, const char *b, size_t b_len) {
  size_t rows[3][WORD_MAX + 1];

  for (size_t j = 0; j <= b_len; j++)
    rows[0][j] = j;
  for (size_t i = 1; i <= a_len; i++) {
    size_t *now = rows[i % 3];
    const size_t *before = rows[(i + 2) % 3];
    const size_t *before_that = rows[(i + 1) % 3];

    now[0] = i;
    for (size_t j = 1; j <= b_len; j++) {
      now[j] = smallest(before[j] + 1, now[j - 1] + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
          before_that[j - 2] + 1 < now[j])
        now[j] = before_that[j - 2] + 1;
    }
  }
  return rows[a_len % 3][b_len];
}

struct nearest nearest_to(const char *word) {
  return (struct nearest){.word = word, .best = NULL, .distance = 0};
}

void nearest_offer(struct nearest *nearest, const char *candidate) {
  size_t word_len = strlen(nearest->word);
  size_t candidate_len = strlen(candidate);

  if (word_len == 0 || word_len > WORD_MAX || candidate_len > WORD_MAX)
    return;
  size_t distance = distance_between(nearest->word, word_len, candidate, candidate_len);
  size_t allowed = 1 + (word_len < candidate_len ? word_len : candidate_len) / 4;
  if (word_len >= 3 && strncmp(candidate, nearest->word, word_len) == 0)
    distance = 1; /* a beginning of it */
  if (distance <= allowed && (!nearest->best || distance < nearest->distance)) {
    nearest->best = candidate;
    nearest->distance = distance;
  }
}
