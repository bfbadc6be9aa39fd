/* checkpoint_point.h - what of the index and of its log survives a loss of power.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A point is a place up to which log and keys are to be made durable, with descriptors of its own:
 * taken under the lock, made durable without it, so that nobody waits for the disk. */
#ifndef KAIZEN_CHECKPOINT_POINT_H
#define KAIZEN_CHECKPOINT_POINT_H

#include "store/checkpoint.h"

struct checkpoint_point {
  int log_fd, index_fd; /* -1: there is nothing to do */
  uint64_t seed;
  unsigned page_bits;
  struct log_anchor anchor;
  struct fold fold;
};

/* There is nothing to do. */
void checkpoint_point_none(struct checkpoint_point *point);
/* Takes one at anchor->end; no pages are kept.  Without descriptors for it the point stays
 * empty. */
void checkpoint_point_take(struct checkpoint *checkpoint, int log_fd,
                           const struct log_anchor *anchor, const struct fold *fold,
                           struct checkpoint_point *point);
/* No lock needed.  Syncs the log, the keys, then writes a slot and syncs that; closes the files.
 * 0; 1: another process was faster, or a sync failed since the boot; -1: now one failed. */
int checkpoint_point_sync(struct checkpoint_point *point);

#endif
