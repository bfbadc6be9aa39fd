/* key_pages.c - the table of an index: where each idempotency key is in the log, in pages.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/key_pages.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/directory.h"

/* A key costs one page read, summed and written: small ones, as long as most of one is in use. */
#define PAGE 1024
#define PAGE_ENTRIES 63
#define NOT_KEPT UINT32_MAX
#define GROW_PAGES 16 /* at a time */
#define SUM_HASH UINT64_C(0x9e3779b97f4a7c15)
#define SUM_OFFSET UINT64_C(0xd6e8feb86659fd93)

struct entry {
  uint64_t hash, offset;
};

struct page {
  uint64_t count, sum; /* sum: of the entries, the page's number and the table's seed */
  struct entry entries[PAGE_ENTRIES];
};
_Static_assert(sizeof(struct page) == PAGE, "a page of entries fills its page");

struct kept_page {
  uint64_t number;
  bool changed;
  struct page page;
};

struct key_pages_kept { /* open addressing by page number */
  size_t mask, count, room;
  struct kept_page *pages;
  uint32_t places[]; /* in pages; NOT_KEPT */
};

uint64_t key_pages_file_size(unsigned bits) {
  return KEY_PAGES_AT + ((uint64_t)PAGE << bits);
}

static uint64_t page_of(uint64_t hash, unsigned bits) {
  return bits ? hash >> (64 - bits) : 0;
}

static uint64_t page_offset(uint64_t page) {
  return KEY_PAGES_AT + page * PAGE;
}

/* A sum, because its terms can be computed in parallel: it is needed at every look-up. */
static uint64_t sum_of(const struct key_pages *pages, uint64_t number, const struct page *page) {
  uint64_t sum = pages->seed ^ (SUM_HASH * (number + 1) + page->count);
  size_t i;

  for (i = 0; i < page->count; i++)
    sum += page->entries[i].hash * SUM_HASH + page->entries[i].offset * SUM_OFFSET;
  return sum;
}

/* 1: damaged. */
static int read_page(const struct key_pages *pages, uint64_t number, struct page *page,
                     struct error *error) {
  size_t got;

  if (directory_read_at(pages->fd, page, PAGE, page_offset(number), &got, error) != 0)
    return -1;
  return got < PAGE || page->count > PAGE_ENTRIES || page->sum != sum_of(pages, number, page);
}

static int write_page(const struct key_pages *pages, uint64_t number, struct page *page,
                      struct error *error) {
  page->sum = sum_of(pages, number, page);
  return directory_write_at(pages->fd, page, PAGE, page_offset(number), error);
}

int key_pages_begin(const struct key_pages *pages, struct error *error) {
  struct page page = {0};

  return write_page(pages, 0, &page, error);
}

/* ---- pages kept while the lock is held ------------------------------------------------------- */

void key_pages_keep(struct key_pages *pages, size_t count) {
  size_t places = 4, table;

  key_pages_forget_kept(pages);
  while (places < 2 * count)
    places *= 2;
  table = sizeof(struct key_pages_kept) + places * sizeof(uint32_t);
  if (pages->fd < 0 || count == 0 || count >= NOT_KEPT)
    return;
  pages->kept = malloc(table + count * sizeof(struct kept_page));
  if (!pages->kept)
    return;
  *pages->kept = (struct key_pages_kept){.mask = places - 1, .room = count};
  /* places is an even number of 4 bytes after an even number of 8: aligned */
  pages->kept->pages = (struct kept_page *)(void *)((char *)pages->kept + table);
  memset(pages->kept->places, 0xff, places * sizeof(uint32_t));
}

void key_pages_forget_kept(struct key_pages *pages) {
  free(pages->kept);
  pages->kept = NULL;
}

/* The page when it is kept; NULL when it is not, and *place is then the one for it. */
static struct kept_page *kept_page(struct key_pages_kept *kept, uint64_t number, size_t *place) {
  for (*place = (size_t)number & kept->mask; kept->places[*place] != NOT_KEPT;
       *place = (*place + 1) & kept->mask)
    if (kept->pages[kept->places[*place]].number == number)
      return &kept->pages[kept->places[*place]];
  return NULL;
}

/* Points *page at the page: the one that is kept, or at `own`, read now.  *kept says which; it is
 * NULL for `own`.  1: damaged. */
static int take_page(const struct key_pages *pages, uint64_t number, struct page *own,
                     struct page **page, struct kept_page **kept, struct error *error) {
  struct key_pages_kept *all = pages->kept;
  size_t place = 0;
  int result;

  *kept = all ? kept_page(all, number, &place) : NULL;
  if (*kept || !all || all->count == all->room) {
    *page = *kept ? &(*kept)->page : own;
    return *kept ? 0 : read_page(pages, number, own, error);
  }
  *kept = &all->pages[all->count];
  *page = &(*kept)->page;
  result = read_page(pages, number, *page, error);
  if (result != 0)
    return result;
  (*kept)->number = number;
  (*kept)->changed = false;
  all->places[place] = (uint32_t)all->count++;
  return 0;
}

int key_pages_write_kept(struct key_pages *pages, struct error *error) {
  struct key_pages_kept *kept = pages->kept;
  size_t i;

  for (i = 0; kept && i < kept->count; i++) {
    if (kept->pages[i].changed &&
        write_page(pages, kept->pages[i].number, &kept->pages[i].page, error) != 0)
      return -1;
    kept->pages[i].changed = false;
  }
  return 0;
}

/* ---- entries --------------------------------------------------------------------------------- */

int key_pages_find(struct key_pages *pages, uint64_t hash, uint64_t *offsets, size_t max,
                   size_t *count, struct error *error) {
  struct page own, *page;
  struct kept_page *kept;
  int result = take_page(pages, page_of(hash, pages->bits), &own, &page, &kept, error);
  size_t i;

  *count = 0;
  if (result != 0)
    return result;
  for (i = 0; i < page->count; i++)
    if (page->entries[i].hash == hash && *count < max)
      offsets[(*count)++] = page->entries[i].offset;
  return 0;
}

int key_pages_add(struct key_pages *pages, uint64_t hash, uint64_t offset, struct error *error) {
  struct entry added = {.hash = hash, .offset = offset};
  uint64_t number = page_of(hash, pages->bits);
  struct page own, *page;
  struct kept_page *kept;
  int result = take_page(pages, number, &own, &page, &kept, error);
  size_t i;

  if (result != 0)
    return result;
  for (i = 0; i < page->count; i++)
    if (memcmp(&page->entries[i], &added, sizeof added) == 0)
      return 0; /* folded once more after a restart */
  if (page->count == PAGE_ENTRIES)
    return 2;
  page->entries[page->count++] = added;
  if (!kept)
    return write_page(pages, number, page, error);
  kept->changed = true;
  return 0;
}

/* ---- a larger table -------------------------------------------------------------------------- */

/* Distributes the entries of a page to two pages of the new file. */
static void deal_out(const struct page *from, unsigned bits, struct page to[2]) {
  size_t i;

  to[0].count = to[1].count = 0;
  for (i = 0; i < from->count; i++) {
    struct page *half = &to[page_of(from->entries[i].hash, bits) & 1];

    half->entries[half->count++] = from->entries[i];
  }
}

int key_pages_copy_doubled(const struct key_pages *pages, int fd, struct error *error) {
  unsigned bits = pages->bits + 1;
  uint64_t number, count = UINT64_C(1) << pages->bits;
  struct page from, to[2 * GROW_PAGES];
  size_t filled = 0, i;

  memset(to, 0, sizeof to);
  for (number = 0; number < count; number++) {
    int result = read_page(pages, number, &from, error);

    if (result != 0)
      return result;
    deal_out(&from, bits, &to[filled]);
    filled += 2;
    if (filled < 2 * GROW_PAGES && number + 1 < count)
      continue;
    for (i = 0; i < filled; i++)
      to[i].sum = sum_of(pages, 2 * (number + 1) - filled + i, &to[i]);
    if (directory_write_at(fd, to, filled * PAGE, page_offset(2 * (number + 1) - filled), error) !=
        0)
      return -1;
    filled = 0;
  }
  return 0;
}
