/* change.h - has an agent changed, and since when: recent runs against those before.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A change is reported only when the numbers support it.  tests/unit/test_change.c measures how
 * often that is wrong and how soon a real change is found; docs/answers.md has the figures. */
#ifndef KAIZEN_HOST_CHANGE_H
#define KAIZEN_HOST_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "stats/share.h"

enum {
  CHANGE_AFTER_MIN = 5,      /* runs after a change, and */
  CHANGE_BEFORE_MIN = 10,    /* runs before it, without which nothing is reported */
  CHANGE_HISTORY_MAX = 2000, /* only so many of the newest runs are used */
  CHANGE_VALUES_MIN = 8      /* values on either side, for the test by ranks */
};

enum change_verdict { CHANGE_TOO_FEW, CHANGE_NONE, CHANGE_WORSE, CHANGE_BETTER };
/* "too few to tell", "no change", "worse", "better" */
const char *change_verdict_text(enum change_verdict verdict);
/* The same for a member of a document: "too_few", "none", "worse", "better". */
const char *change_verdict_name(enum change_verdict verdict);

struct change { /* the members after the verdict are set only for worse and better */
  enum change_verdict verdict;
  size_t since;               /* index of the first run after the change */
  struct share before, after; /* `before` reaches back to the change before this one */
  double p;                   /* the probability of so large a difference by chance */
};
/* The latest change of a series of successes, oldest first. */
void change_of_successes(const bool *successes, size_t count, struct change *change);

struct value_change {
  enum change_verdict verdict;
  size_t since;
  size_t before_count, after_count;
  double before_median, after_median;
  double p;
};
/* The same of a series of values, by ranks.  -1 without memory. */
int change_of_values(const double *values, size_t count, bool higher_is_better,
                     struct value_change *change);

#endif
