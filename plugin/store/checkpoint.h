/* checkpoint.h - `.index-1`: where folding stopped, and where each idempotency key stands in the
 * log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Derived: deleting it costs one scan of the log.  It is what makes a cold start independent of the
 * log's length.  A header of 4096 bytes (fold, anchor, checksum), then pages of 1024: 63 {hash,
 * offset} entries and their checksum; a key belongs to the page its hash's leading bits name, and a
 * full page doubles the number of pages.  An entry is only a hint: the line it points at decides,
 * so entries may be ahead of the header, and stale ones do no harm.  Read and written with pread
 * and pwrite, never mapped: a truncated mapping would raise SIGBUS in the host.  Nothing is synced:
 * a header of another boot is not believed. All calls are made under the agent's exclusive lock,
 * except for checkpoint_peek (shared). */
#ifndef KAIZEN_CHECKPOINT_H
#define KAIZEN_CHECKPOINT_H

#include "base/error.h"
#include "common/buffer.h"
#include "record/fold.h"

#define CHECKPOINT_FILE ".index-1"

/* The last folded line, by content: inode numbers are handed out again and sizes come back
 * (docs/design.md, "Same file by content").  A file with another number is folded again all the
 * same: an editor may have changed a line before the last one and kept its length. */
struct log_anchor {
  uint64_t end;    /* offset after its newline; 0: nothing is folded */
  uint64_t offset; /* where it begins */
  uint64_t hash;   /* of its bytes with the newline; of the last ANCHOR_BYTES when it is longer */
  uint64_t inode;  /* of the log */
};
#define ANCHOR_BYTES 4096

struct checkpoint {
  int agent_fd; /* borrowed */
  int fd;       /* -1: closed */
  uint64_t seed;
  unsigned page_bits; /* 2^page_bits pages */
  unsigned char boot_id[16];
  struct checkpoint_kept *kept; /* NULL: pages are read and written one by one */
};

/* 0: loaded, *anchor and *fold filled; 1: none that can be trusted (missing, damaged, another boot
 * or layout); -1 with *error. */
int checkpoint_open(struct checkpoint *checkpoint, int agent_fd, const unsigned char boot_id[16],
                    struct log_anchor *anchor, struct fold *fold, struct error *error);
/* An empty one in place of whatever is there. */
int checkpoint_reset(struct checkpoint *checkpoint, int agent_fd, const unsigned char boot_id[16],
                     struct error *error);
void checkpoint_close(struct checkpoint *checkpoint);
/* Only reads the header of an existing one: results as checkpoint_open(). */
int checkpoint_peek(int agent_fd, const unsigned char boot_id[16], struct log_anchor *anchor,
                    struct fold *fold, struct error *error);

/* Says that all keys before anchor->end have been added.  1: another process has put another file
 * in its place (nothing was stored; reopen to share its work). */
int checkpoint_store(struct checkpoint *checkpoint, const struct log_anchor *anchor,
                     const struct fold *fold, struct error *error);

/* Both answer 0, 1 when the file is damaged (remove it: it is rebuilt from the log), -1 with
 * *error. */
/* Offsets of lines that may carry `key`, at most `max`; *count of them. */
int checkpoint_find(struct checkpoint *checkpoint, struct span key, uint64_t *offsets, size_t max,
                    size_t *count, struct error *error);
int checkpoint_add(struct checkpoint *checkpoint, struct span key, uint64_t offset,
                   struct error *error);

/* From here to checkpoint_flush() pages stay in memory, at most `keys` of them: a key that is
 * looked up and then added costs one read, and the keys of a page one write.  Only for as long as
 * the lock is held.  Without memory for it nothing is kept. */
void checkpoint_keep(struct checkpoint *checkpoint, size_t keys);
/* Writes the pages that were changed and keeps none any longer.  0, -1 with *error: some of the
 * keys are not in the file. */
int checkpoint_flush(struct checkpoint *checkpoint, struct error *error);

#endif
