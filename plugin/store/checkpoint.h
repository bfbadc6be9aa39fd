/* checkpoint.h - `.index-2`: where folding stopped, and where each idempotency key is in the log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Derived: deleting it costs one scan of the log.  Because of it a cold start does not depend on
 * the log's length.  The head says how far the log is folded; it is stored often, synced never, and
 * so believed only while the file system is known to have stayed mounted since.  Two slots, written
 * in turn, say the same of a place up to which log and keys are on disk: a process that knows
 * nothing more continues from there. After them comes the table of keys (key_pages.h). Slots are
 * true as long as the table only gains entries and the log only grows: any other change of either
 * begins a new file, without slots. Calls are made under the agent's exclusive lock unless said
 * otherwise. */
#ifndef KAIZEN_CHECKPOINT_H
#define KAIZEN_CHECKPOINT_H

#include "base/error.h"
#include "common/buffer.h"
#include "record/fold.h"
#include "store/checkpoint_header.h"
#include "store/key_pages.h"
#include "store/project.h"

#define CHECKPOINT_FILE ".index-2"

/* What the head of the file says about the log, even when it is not believed: enough to see that
 * another program rewrote the log while nobody had it open. */
struct checkpoint_memory {
  struct log_anchor anchor; /* end 0: unknown */
  uint64_t records, marked;
};

struct checkpoint {
  int agent_fd; /* borrowed */
  const struct project *project;
  struct key_pages pages;
  uint64_t durable_end; /* of the log: how far a slot says that it is durable, or was meant to
                         * say */
  struct checkpoint_memory memory; /* as of the opening */
};

/* 0: opened, *anchor and *fold filled as far as can be trusted, maybe empty; 1: there is none, or
 * it is damaged; -1 with *error. */
int checkpoint_open(struct checkpoint *checkpoint, int agent_fd, const struct project *project,
                    struct log_anchor *anchor, struct fold *fold, struct error *error);
/* An empty one in place of whatever is there. */
int checkpoint_reset(struct checkpoint *checkpoint, int agent_fd, const struct project *project,
                     struct error *error);
void checkpoint_close(struct checkpoint *checkpoint);
/* Removes the file, so that no loss of power brings it back.  -1 with errno: one may. */
int checkpoint_remove(int agent_fd);
/* Only reads what is there: results as checkpoint_open().  Any lock or none. */
int checkpoint_peek(int agent_fd, const struct project *project, struct log_anchor *anchor,
                    struct fold *fold, struct error *error);

/* Writes into the head that all keys before anchor->end have been added.  1: another process has
 * put another file in its place (nothing was stored; reopen to share its work). */
int checkpoint_store(struct checkpoint *checkpoint, const struct log_anchor *anchor,
                     const struct fold *fold, struct error *error);

/* Is it still the file of that name?  Any lock or none. */
bool checkpoint_is_in_place(const struct checkpoint *checkpoint);

/* These answer 0, 1 when the file is damaged (remove it: it is rebuilt from the log), -1 with
 * *error. */
/* Offsets of lines that may carry `key`, at most `max`; *count of them. */
int checkpoint_find(struct checkpoint *checkpoint, struct span key, uint64_t *offsets, size_t max,
                    size_t *count, struct error *error);
int checkpoint_add(struct checkpoint *checkpoint, struct span key, uint64_t offset,
                   struct error *error);

/* As key_pages_add_sorted(), and grows the table when it must. */
int checkpoint_add_sorted(struct checkpoint *checkpoint, const struct key_pages_entry *entries,
                          size_t count, key_pages_same same, void *ctx, int64_t deadline_ns,
                          size_t *done, struct error *error);
/* The hash that stands for a key in this table. */
uint64_t checkpoint_hash(const struct checkpoint *checkpoint, struct span key);

/* From here to checkpoint_flush() at most so many pages stay in memory (key_pages_keep). */
void checkpoint_keep(struct checkpoint *checkpoint, size_t keys);
/* Writes the pages that were changed and keeps none any longer.  0, -1 with *error: some of the
 * keys are not in the file. */
int checkpoint_flush(struct checkpoint *checkpoint, struct error *error);

/* After a failed sync of the log: a later one that succeeds says nothing about what was not durable
 * then, so no slot is written before the next boot. */
void checkpoint_doubt_log(const struct checkpoint *checkpoint);

/* ---- a larger table, filled without the lock ------------------------------------------------- */

struct checkpoint_growth {
  int fd; /* of the new file; -1: none */
  unsigned bits;
  uint64_t head_end; /* of the log: how far the head covered the keys before the copying */
};

void checkpoint_growth_none(struct checkpoint_growth *growth);
/* The new file, still empty.  0, 1 damaged, -1 with *error. */
int checkpoint_growth_begin(struct checkpoint *checkpoint, unsigned bits,
                            struct checkpoint_growth *growth, struct error *error);
/* No lock needed: copies all keys.  1: a page is damaged, or was just being written. */
int checkpoint_growth_fill(const struct checkpoint *checkpoint, struct checkpoint_growth *growth,
                           struct error *error);
/* Puts it in place.  1: another process continued in the old file meanwhile, which stays, or it is
 * damaged.  In any case the growth is over. */
int checkpoint_growth_end(struct checkpoint *checkpoint, struct checkpoint_growth *growth,
                          struct error *error);
void checkpoint_growth_drop(int agent_fd, struct checkpoint_growth *growth);

#endif
