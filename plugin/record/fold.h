/* fold.h - what a log adds up to: a left-to-right fold over its records.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Fixed size and plain data, so that the checkpoint can store it as it is. */
#ifndef KAIZEN_FOLD_H
#define KAIZEN_FOLD_H

#include <stdint.h>

#include "record/record.h"

#define FOLD_WINDOW_MAX 64
#define FOLD_RING (2 * FOLD_WINDOW_MAX)

struct fold {
  uint64_t execution_count, successes, quality_count, time_count;
  double quality_sum, time_sum;
  int64_t last_execution_s; /* greatest readable timestamp, -1: none */
  int64_t oldest_s;         /* smallest readable timestamp, INT64_MAX: none */
  uint64_t skipped_lines;   /* neither a record nor blank */
  uint64_t marked;          /* marked lines in the log */
  uint64_t last_marked_end; /* offset after the newline of the last of them */
  unsigned char last_marked_id[16];
  uint8_t success_ring[FOLD_RING]; /* value i of the log stands at i % FOLD_RING */
  double quality_ring[FOLD_RING];
};

void fold_init(struct fold *fold);
/* `end`: log offset after the record's newline. */
void fold_add(struct fold *fold, const struct record *record, uint64_t end);
void fold_skip(struct fold *fold); /* a garbage line */

#endif
