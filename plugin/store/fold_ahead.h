/* fold_ahead.h - a piece of an agent's log, read without the agent's lock.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * When much must be folded, most of the work is reading lines, which needs no lock: committed bytes
 * do not change.  Under the lock the keys are added, in the order of the index and some
 * milliseconds at a time, and then the fold.  If the log or the index is a different one by then,
 * the piece is dropped. */
#ifndef KAIZEN_FOLD_AHEAD_H
#define KAIZEN_FOLD_AHEAD_H

#include "store/agent.h"

#define FOLD_AHEAD_MUCH_BYTES (UINT64_C(256) << 10)

struct fold_ahead {
  uint64_t begin, end; /* of the log: what is to be read; end 0: nothing */
  uint64_t left;       /* the smallest rest of it, at any turn */
  bool unable;         /* no piece could be read: fold under the lock */
  bool claimed;        /* no other process reads ahead, or the wait for it failed */
  /* the piece; empty: lines is 0 */
  struct log_anchor from, anchor;
  struct fold fold;
  uint64_t seed; /* of the hashes */
  uint64_t lines, skipped;
  struct key_pages_entry *keys; /* sorted */
  size_t count, room, merged;
  /* a table that has room for its keys */
  unsigned bits;
  struct checkpoint_growth growth;
  bool filled, growth_tried;
};

void fold_ahead_init(struct fold_ahead *ahead);
/* Lock held or not; after fold_ahead_drop() there is nothing to do. */
void fold_ahead_fini(struct fold_ahead *ahead, const struct agent *agent);

/* A number that grows with the part of the log that is done, parts of a piece included. */
uint64_t fold_ahead_reached(const struct fold_ahead *ahead, const struct agent *agent);
/* The next step that needs no lock: reads a piece after what the agent has folded, until the next
 * point is due or as much as is kept in memory; or fills a larger table.  What another process is
 * reading need not be read here, too: waits for that process, until the deadline. */
void fold_ahead_work(struct fold_ahead *ahead, struct agent *agent, int64_t deadline_ns);

enum { FOLD_AHEAD_MORE = 2, FOLD_AHEAD_GROWS, FOLD_AHEAD_REWRITTEN };
/* Under the lock, with a log of `size` bytes: the agent's fold continues with the piece, if there
 * is one that fits.  0: the rest is short, or must be folded under the lock; FOLD_AHEAD_MORE:
 * release the lock, call fold_ahead_work(), and this again; FOLD_AHEAD_GROWS: the same, but more is
 * left than before; FOLD_AHEAD_REWRITTEN: the piece's last line is gone; 1: the checkpoint was
 * damaged, or replaced under its name, agent->loaded is false now; -1 with *error. */
int fold_ahead_merge(struct fold_ahead *ahead, struct agent *agent, uint64_t size, int64_t until_ns,
                     struct error *error);
/* Under the lock: drops everything, the larger table's file too. */
void fold_ahead_drop(struct fold_ahead *ahead, const struct agent *agent);
/* The same without the files, which the host closed: their numbers may be those of its own
 * files. */
void fold_ahead_lose(struct fold_ahead *ahead);

#endif
