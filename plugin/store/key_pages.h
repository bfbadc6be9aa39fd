/* key_pages.h - the table of an index: where each idempotency key is in the log, in pages.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pages of 1024 bytes: 63 {hash, offset} entries and their checksum; a key belongs to the page that
 * its hash's leading bits name, and when a page is full the table doubles. An entry is only a hint:
 * the line it points at decides, so entries may be ahead of what the index says of itself, and
 * stale ones do no harm. Read and written with pread and pwrite, never mapped: a truncated mapping
 * would raise SIGBUS in the host. Under the agent's exclusive lock. */
#ifndef KAIZEN_KEY_PAGES_H
#define KAIZEN_KEY_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define KEY_PAGES_AT 12288 /* where in the file they begin */
#define KEY_PAGES_BITS_MAX 34

struct key_pages {
  int fd; /* -1: closed */
  uint64_t seed;
  unsigned bits;               /* 2^bits pages */
  struct key_pages_kept *kept; /* NULL: pages are read and written one by one */
  unsigned char *seen;         /* how many entries each page had last; NULL: not remembered */
};

/* Of a file with so many pages. */
uint64_t key_pages_file_size(unsigned bits);
/* Writes the one page of a new table. */
int key_pages_begin(const struct key_pages *pages, struct error *error);
/* Writes all entries to `fd` in 2^bits pages, which are more.  May be called without the lock: what
 * others add meanwhile may be missing.  0, 1 when a page is damaged (or being written), -1 with
 * *error. */
int key_pages_copy(const struct key_pages *pages, int fd, unsigned bits, struct error *error);
/* How many bits make room for `more` entries beside the present ones.  0: unknown. */
unsigned key_pages_bits_for(const struct key_pages *pages, uint64_t more);

/* Both answer 0, 1 when the table is damaged, -1 with *error; add 2 when the page is full. */
/* Offsets of lines whose key may have this hash, at most `max`; *count of them. */
int key_pages_find(struct key_pages *pages, uint64_t hash, uint64_t *offsets, size_t max,
                   size_t *count, struct error *error);
int key_pages_add(struct key_pages *pages, uint64_t hash, uint64_t offset, struct error *error);

struct key_pages_entry {
  uint64_t hash, offset; /* of the key; of its line in the log */
};
/* Do the lines at both offsets carry the same key?  1, 0, -1 with *error. */
typedef int (*key_pages_same)(void *ctx, uint64_t first, uint64_t second, struct error *error);

void key_pages_sort(struct key_pages_entry *entries, size_t count);
/* Adds sorted entries, page by page, without those whose key an earlier line has; no pages are
 * kept.  *done: so many are finished; 0 with fewer than all of them: deadline_ns has passed.
 * Results as key_pages_add(). */
int key_pages_add_sorted(const struct key_pages *pages, const struct key_pages_entry *entries,
                         size_t count, key_pages_same same, void *ctx, int64_t deadline_ns,
                         size_t *done, struct error *error);

/* From here on pages stay in memory, at most `count` of them: a key that is looked up and then
 * added costs one read, and the keys of a page one write. Only for as long as the lock is held.
 * Without memory for it nothing is kept. */
void key_pages_keep(struct key_pages *pages, size_t count);
/* Writes the pages that were changed; they stay. */
int key_pages_write_kept(struct key_pages *pages, struct error *error);
void key_pages_forget_kept(struct key_pages *pages);

/* From here on a page that has fewer entries than before counts as damaged: pages only gain them,
 * so somebody has written an older copy of the file over this one. Only where memory allows. */
void key_pages_remember(struct key_pages *pages);
void key_pages_forget_seen(struct key_pages *pages);

#endif
