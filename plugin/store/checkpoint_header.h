/* checkpoint_header.h - what an index says of itself: its head, two slots, and doubts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_CHECKPOINT_HEADER_H
#define KAIZEN_CHECKPOINT_HEADER_H

#include <stdint.h>

#include "base/error.h"
#include "record/fold.h"
#include "store/key_pages.h"

#define CHECKPOINT_HEADER_MAGIC UINT64_C(0x32584449495a414b) /* "KAZIIDX2" */

/* The last folded line, by content: inode numbers are reused, and a size may come back
 * (docs/design.md, "Same file by content").  A file with another number is folded again in any
 * case: an editor may have changed an earlier line and kept its length. */
struct log_anchor {
  uint64_t end;    /* offset after its newline; 0: nothing is folded */
  uint64_t offset; /* where it begins */
  uint64_t hash;   /* of its bytes with the newline; of the last ANCHOR_BYTES when it is longer */
  uint64_t inode;  /* of the log */
};
#define ANCHOR_BYTES 4096

struct checkpoint_header {
  uint64_t magic;
  uint32_t version, fold_size;
  uint64_t sequence; /* a slot's; the head has 0 */
  /* the head's: the project's `life` when it was stored, and the file it was stored in */
  unsigned char life[16];
  uint64_t device, inode;
  uint64_t seed;
  uint64_t page_bits;
  struct log_anchor anchor;
  struct fold fold;
  uint64_t checksum; /* of all before it */
};

struct checkpoint_header checkpoint_header_make(uint64_t seed, unsigned page_bits,
                                                const struct log_anchor *anchor,
                                                const struct fold *fold);
/* With its checksum. */
int checkpoint_header_write(int fd, struct checkpoint_header *header, uint64_t offset,
                            struct error *error);
/* 0 with *header valid, 1 not, -1.  The head is at offset 0. */
int checkpoint_header_read(int fd, uint64_t file_size, uint64_t offset,
                           struct checkpoint_header *header, struct error *error);
/* The offset of the slot of that number. */
uint64_t checkpoint_header_slot_offset(uint64_t sequence);
/* The newer slot: 0, 1 when none is valid, -1. */
int checkpoint_header_read_slot(int fd, uint64_t file_size, struct checkpoint_header *slot,
                                struct error *error);

/* What a failed sync has made doubtful, stored with the boot during which the bytes may still look
 * right in memory. */
enum { CHECKPOINT_DOUBT_LOG = 1, CHECKPOINT_DOUBT_KEYS = 2, CHECKPOINT_DOUBT_KINDS = 3 };
/* Of this boot: 0, or the kinds that were added. */
unsigned checkpoint_header_doubt(int fd);
void checkpoint_header_add_doubt(int fd, unsigned kind);

#endif
