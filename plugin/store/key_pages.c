/* key_pages.c - the table of an index: where each idempotency key is in the log, in pages.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/key_pages.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/directory.h"

/* A key costs one page read, summed and written: small ones, as long as most of one is in use. */
#define PAGE 1024
#define PAGE_ENTRIES 63
#define NOT_KEPT UINT32_MAX
#define SEEN_BITS_MAX 20 /* a megabyte, for some forty million keys */
#define BLOCK_PAGES 32   /* read or written at a time */
#define PAGE_FILL                                                                                  \
  32                    /* at most, of a table that is made larger: then one page in a million is
                         * full */
#define SAMPLE_PAGES 16 /* enough to estimate the whole table: keys are spread by their hash */
_Static_assert(BLOCK_PAGES <= 32, "a block's changed pages are bits");
#define SUM_HASH UINT64_C(0x9e3779b97f4a7c15)
#define SUM_OFFSET UINT64_C(0xd6e8feb86659fd93)

struct page {
  uint64_t count, sum; /* sum: of the entries, the page's number and the table's seed */
  struct key_pages_entry entries[PAGE_ENTRIES];
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

/* Of a page of a smaller table, whose number and sum may be right here. */
static bool has_keys_of_others(const struct key_pages *pages, uint64_t number,
                               const struct page *page) {
  uint64_t differs = 0;
  size_t i;

  for (i = 0; i < page->count; i++)
    differs |= page_of(page->entries[i].hash, pages->bits) ^ number;
  return differs != 0;
}

static bool is_damaged(const struct key_pages *pages, uint64_t number, const struct page *page) {
  if (page->count > PAGE_ENTRIES || page->sum != sum_of(pages, number, page))
    return true;
  if (pages->seen && page->count < pages->seen[number])
    return true;
  return has_keys_of_others(pages, number, page);
}

static void note_seen(const struct key_pages *pages, uint64_t number, const struct page *page) {
  if (pages->seen)
    pages->seen[number] = (unsigned char)page->count;
}

void key_pages_remember(struct key_pages *pages) {
  key_pages_forget_seen(pages);
  if (pages->bits <= SEEN_BITS_MAX)
    pages->seen = calloc(1, (size_t)1 << pages->bits);
}

void key_pages_forget_seen(struct key_pages *pages) {
  free(pages->seen);
  pages->seen = NULL;
}

/* 1: damaged. */
static int read_page(const struct key_pages *pages, uint64_t number, struct page *page,
                     struct error *error) {
  size_t got;

  if (directory_read_at(pages->fd, page, PAGE, page_offset(number), &got, error) != 0)
    return -1;
  if (got < PAGE || is_damaged(pages, number, page))
    return 1;
  note_seen(pages, number, page);
  return 0;
}

static int write_page(const struct key_pages *pages, uint64_t number, struct page *page,
                      struct error *error) {
  page->sum = sum_of(pages, number, page);
  if (directory_write_at(pages->fd, page, PAGE, page_offset(number), error) != 0)
    return -1;
  note_seen(pages, number, page);
  return 0;
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
  struct key_pages_entry added = {.hash = hash, .offset = offset};
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

/* ---- many entries ---------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b) {
  const struct key_pages_entry *x = a, *y = b;

  if (x->hash != y->hash)
    return x->hash < y->hash ? -1 : 1;
  return (x->offset > y->offset) - (x->offset < y->offset);
}

void key_pages_sort(struct key_pages_entry *entries, size_t count) {
  qsort(entries, count, sizeof *entries, compare_entries);
}

/* Neighbouring pages in memory. */
struct block {
  uint64_t first;   /* page number */
  size_t count;     /* of pages that were read */
  uint32_t changed; /* a bit for each */
  struct page pages[BLOCK_PAGES];
};

static int read_block(const struct key_pages *pages, uint64_t number, struct block *block,
                      struct error *error) {
  size_t got;

  block->first = number - number % BLOCK_PAGES;
  block->changed = 0;
  if (directory_read_at(pages->fd, block->pages, sizeof block->pages, page_offset(block->first),
                        &got, error) != 0)
    return -1;
  block->count = got / PAGE;
  return 0;
}

/* Writes from the first changed page to the last.  Pages between keep their sums, so a damaged one
 * is still recognised. */
static int write_block(const struct key_pages *pages, struct block *block, struct error *error) {
  size_t begin = 0, end = 0, i;

  for (i = 0; i < BLOCK_PAGES; i++) {
    if (!(block->changed >> i & 1))
      continue;
    block->pages[i].sum = sum_of(pages, block->first + i, &block->pages[i]);
    note_seen(pages, block->first + i, &block->pages[i]);
    begin = end == 0 ? i : begin;
    end = i + 1;
  }
  return directory_write_at(pages->fd, &block->pages[begin], (end - begin) * PAGE,
                            page_offset(block->first + begin), error);
}

/* 1: an earlier line has its key, or the entry is there; 0: it must be added; -1. */
static int is_known(const struct page *page, const struct key_pages_entry *entry,
                    key_pages_same same, void *ctx, struct error *error) {
  int result = 0;
  size_t i;

  for (i = 0; result == 0 && i < page->count; i++) {
    const struct key_pages_entry *there = &page->entries[i];

    if (there->hash != entry->hash || there->offset > entry->offset)
      continue;
    result = there->offset == entry->offset ? 1 /* folded once more after a restart */
                                            : same(ctx, there->offset, entry->offset, error);
  }
  return result;
}

/* The entries of one page.  *added of them are done; results as key_pages_add(). */
static int add_to_page(struct page *page, const struct key_pages_entry *entries, size_t count,
                       key_pages_same same, void *ctx, size_t *added, struct error *error) {
  for (*added = 0; *added < count; (*added)++) {
    int known = is_known(page, &entries[*added], same, ctx, error);

    if (known < 0)
      return -1;
    if (known == 0 && page->count == PAGE_ENTRIES)
      return 2;
    if (known == 0)
      page->entries[page->count++] = entries[*added];
  }
  return 0;
}

/* How many of the entries belong to the page of the first. */
static size_t count_of_page(const struct key_pages *pages, const struct key_pages_entry *entries,
                            size_t count) {
  uint64_t number = page_of(entries[0].hash, pages->bits);
  size_t i = 1;

  while (i < count && page_of(entries[i].hash, pages->bits) == number)
    i++;
  return i;
}

/* Adds the entries that belong to the block of the first.  *done as key_pages_add_sorted(). */
static int add_to_block(const struct key_pages *pages, const struct key_pages_entry *entries,
                        size_t count, key_pages_same same, void *ctx, size_t *done,
                        struct error *error) {
  struct block block;
  int result = read_block(pages, page_of(entries[0].hash, pages->bits), &block, error);
  size_t at = 0;

  while (result == 0 && at < count) {
    uint64_t number = page_of(entries[at].hash, pages->bits);
    size_t place = (size_t)(number - block.first), of_page, added;
    struct page *page = &block.pages[place < BLOCK_PAGES ? place : 0];
    uint64_t before = page->count;

    if (place >= BLOCK_PAGES)
      break;
    if (place >= block.count || is_damaged(pages, number, page))
      return 1;
    of_page = count_of_page(pages, &entries[at], count - at);
    result = add_to_page(page, &entries[at], of_page, same, ctx, &added, error);
    at += added;
    if (page->count != before)
      block.changed |= UINT32_C(1) << place;
  }
  if (result >= 0 && block.changed != 0 && write_block(pages, &block, error) != 0)
    return -1;
  *done = at;
  return result;
}

int key_pages_add_sorted(const struct key_pages *pages, const struct key_pages_entry *entries,
                         size_t count, key_pages_same same, void *ctx, int64_t deadline_ns,
                         size_t *done, struct error *error) {
  int result = 0;

  *done = 0;
  while (result == 0 && *done < count) {
    size_t more = 0;

    result = add_to_block(pages, entries + *done, count - *done, same, ctx, &more, error);
    *done += more;
    if (clock_monotonic_ns() >= deadline_ns)
      break;
  }
  return result;
}

/* ---- a larger table -------------------------------------------------------------------------- */

unsigned key_pages_bits_for(const struct key_pages *pages, uint64_t more) {
  uint64_t all = UINT64_C(1) << pages->bits, step = all / SAMPLE_PAGES, entries = 0;
  uint64_t looked_at = step > 0 ? SAMPLE_PAGES : all, i;
  unsigned bits = pages->bits;
  struct page page;

  for (i = 0; i < looked_at; i++) {
    if (read_page(pages, step > 0 ? i * step : i, &page, NULL) != 0)
      return 0;
    entries += page.count;
  }
  entries = entries * (all / looked_at) + more;
  while (bits < KEY_PAGES_BITS_MAX && entries >> bits >= PAGE_FILL)
    bits++;
  return bits;
}

/* The entries of a page that belong to `count` neighbouring ones of the new table. */
static void deal_out(const struct page *from, unsigned bits, uint64_t first, size_t count,
                     struct page *to) {
  size_t i;

  for (i = 0; i < count; i++)
    to[i].count = 0;
  for (i = 0; i < from->count; i++) {
    uint64_t place = page_of(from->entries[i].hash, bits) - first;

    if (place < count)
      to[place].entries[to[place].count++] = from->entries[i];
  }
}

int key_pages_copy(const struct key_pages *pages, int fd, unsigned bits, struct error *error) {
  uint64_t each = UINT64_C(1) << (bits - pages->bits), all = UINT64_C(1) << bits, first, number;
  size_t part = each < BLOCK_PAGES ? (size_t)each : BLOCK_PAGES, filled = 0, i;
  struct page from, to[BLOCK_PAGES];

  memset(to, 0, sizeof to);
  for (first = 0; first < all; first += part) {
    if (first % each == 0) {
      int result = read_page(pages, first / each, &from, error);

      if (result != 0)
        return result;
    }
    deal_out(&from, bits, first, part, &to[filled]);
    filled += part;
    if (filled < BLOCK_PAGES && first + part < all)
      continue;
    number = first + part - filled;
    for (i = 0; i < filled; i++)
      to[i].sum = sum_of(pages, number + i, &to[i]);
    if (directory_write_at(fd, to, filled * PAGE, page_offset(number), error) != 0)
      return -1;
    filled = 0;
  }
  return 0;
}
