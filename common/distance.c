/* distance.c - edit distance with swaps of neighbours, over three rows on the stack.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common/distance.h"

#include <limits.h>
#include <string.h>

enum { COMPARED_MAX = 64, GAP_COST = 2, SWAP_COST = 2, WRONG_COST = 3 };

static unsigned char lower(char c) {
  return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static unsigned least(unsigned a, unsigned b) {
  return a < b ? a : b;
}

static size_t compared_len(struct span span) {
  return span.len < COMPARED_MAX ? span.len : COMPARED_MAX;
}

unsigned distance_between(struct span a, struct span b) {
  size_t a_len = compared_len(a), b_len = compared_len(b);
  unsigned rows[3][COMPARED_MAX + 1];
  unsigned *before_last = rows[0], *last = rows[1], *row = rows[2];

  for (size_t j = 0; j <= b_len; j++)
    row[j] = (unsigned)j * GAP_COST;
  for (size_t i = 1; i <= a_len; i++) {
    unsigned *oldest = before_last;

    before_last = last;
    last = row;
    row = oldest;
    row[0] = (unsigned)i * GAP_COST;
    for (size_t j = 1; j <= b_len; j++) {
      unsigned char here = lower(a.ptr[i - 1]), there = lower(b.ptr[j - 1]);

      row[j] = last[j - 1] + (here == there ? 0 : WRONG_COST);
      row[j] = least(row[j], least(last[j], row[j - 1]) + GAP_COST);
      if (i > 1 && j > 1 && here == lower(b.ptr[j - 2]) && there == lower(a.ptr[i - 2]))
        row[j] = least(row[j], before_last[j - 2] + SWAP_COST);
    }
  }
  return row[b_len];
}

const char *distance_nearest(struct span word, const char *const *words, size_t count) {
  const char *nearest = NULL;
  unsigned nearest_distance = UINT_MAX;

  for (size_t i = 0; i < count; i++) {
    unsigned distance = distance_between(word, (struct span){words[i], strlen(words[i])});

    if (distance < nearest_distance) {
      nearest_distance = distance;
      nearest = words[i];
    }
  }
  return nearest;
}
