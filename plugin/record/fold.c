/* fold.c - what a log adds up to.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/fold.h"

#include <string.h>

#include "base/uuid.h"

void fold_init(struct fold *fold) {
  memset(fold, 0, sizeof *fold);
  fold->last_execution_s = -1;
  fold->oldest_s = INT64_MAX;
}

static void add_mark(struct fold *fold, const struct record *record, uint64_t end) {
  fold->marked++;
  fold->last_marked_end = end;
  uuid_pack(record->event_id, fold->last_marked_id);
}

void fold_add(struct fold *fold, const struct record *record, uint64_t end) {
  fold->success_ring[fold->execution_count % FOLD_RING] = record->success;
  fold->execution_count++;
  fold->successes += record->success;
  if (record->has_quality) {
    fold->quality_ring[fold->quality_count % FOLD_RING] = record->quality_score;
    fold->quality_count++;
    fold->quality_sum += record->quality_score;
  }
  if (record->has_time) {
    fold->time_count++;
    fold->time_sum += record->execution_time_s;
  }
  if (record->timestamp_s >= 0) {
    if (record->timestamp_s > fold->last_execution_s)
      fold->last_execution_s = record->timestamp_s;
    if (record->timestamp_s < fold->oldest_s)
      fold->oldest_s = record->timestamp_s;
  }
  if (record->marked)
    add_mark(fold, record, end);
}

void fold_skip(struct fold *fold) {
  fold->skipped_lines++;
}
