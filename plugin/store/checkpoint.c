/* checkpoint.c - where folding stopped, and where each idempotency key stands in the log.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/directory.h"
#include "base/hash.h"
#include "base/os_files.h"
#include "base/os_process.h"

#define SPARE_FILE CHECKPOINT_FILE ".new"
#define MAGIC UINT64_C(0x31584449495a414b) /* "KAZIIDX1" */
#define VERSION 3
#define HEADER_BYTES 4096
/* A key costs one page read, summed and written: small ones, as long as most of one is in use. */
#define PAGE 1024
#define PAGE_ENTRIES 63
#define PAGE_BITS_MAX 34
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

struct header { /* the first HEADER_BYTES */
  uint64_t magic;
  uint32_t version, fold_size;
  unsigned char boot_id[16];
  uint64_t seed;
  uint64_t page_bits;
  struct log_anchor anchor;
  struct fold fold;
  uint64_t checksum; /* of all before it */
};
_Static_assert(sizeof(struct header) <= HEADER_BYTES, "the header fits its place");

struct kept_page {
  uint64_t number;
  bool changed;
  struct page page;
};

struct checkpoint_kept { /* open addressing by page number */
  size_t mask, count, room;
  struct kept_page *pages;
  uint32_t places[]; /* in pages; NOT_KEPT */
};

static uint64_t checksum_of(const struct header *header) {
  return hash_bytes(header, offsetof(struct header, checksum), MAGIC);
}

static bool is_zero(const unsigned char id[16]) {
  static const unsigned char zero[16];

  return memcmp(id, zero, 16) == 0;
}

static bool anchor_valid(const struct log_anchor *anchor) {
  return anchor->end <= INT64_MAX && (anchor->end == 0 || anchor->offset < anchor->end);
}

static bool header_valid(const struct header *header) {
  return header->magic == MAGIC && header->version == VERSION &&
         header->fold_size == sizeof(struct fold) && header->checksum == checksum_of(header) &&
         header->page_bits <= PAGE_BITS_MAX && anchor_valid(&header->anchor);
}

/* What was written before this boot may have reached the disk in part. */
static bool of_this_boot(const struct header *header, const unsigned char boot_id[16]) {
  return !is_zero(boot_id) && memcmp(header->boot_id, boot_id, 16) == 0;
}

static uint64_t file_size_for(unsigned page_bits) {
  return HEADER_BYTES + ((uint64_t)PAGE << page_bits);
}

/* 0 with *header valid and the file at least as long as it says, 1 not, -1. */
static int read_header(int fd, struct header *header, struct error *error) {
  struct stat status;
  size_t got;

  if (directory_read_at(fd, header, sizeof *header, 0, &got, error) != 0)
    return -1;
  if (got < sizeof *header || !header_valid(header))
    return 1;
  if (fstat(fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, CHECKPOINT_FILE ": fstat");
  return (uint64_t)status.st_size >= file_size_for((unsigned)header->page_bits) ? 0 : 1;
}

static int open_and_read(int agent_fd, int flags, const unsigned char boot_id[16], int *fd,
                         struct header *header, struct error *error) {
  int result = directory_open_file(agent_fd, CHECKPOINT_FILE, flags, fd, error);

  if (result != 0)
    return result;
  result = read_header(*fd, header, error);
  if (result == 0 && !of_this_boot(header, boot_id))
    result = 1;
  if (result != 0) {
    (void)close(*fd);
    *fd = -1;
  }
  return result;
}

int checkpoint_open(struct checkpoint *checkpoint, int agent_fd, const unsigned char boot_id[16],
                    struct log_anchor *anchor, struct fold *fold, struct error *error) {
  struct header header;
  int result;

  *checkpoint = (struct checkpoint){.agent_fd = agent_fd, .fd = -1};
  memcpy(checkpoint->boot_id, boot_id, 16);
  result = open_and_read(agent_fd, O_RDWR, boot_id, &checkpoint->fd, &header, error);
  if (result != 0)
    return result;
  checkpoint->seed = header.seed;
  checkpoint->page_bits = (unsigned)header.page_bits;
  *anchor = header.anchor;
  *fold = header.fold;
  return 0;
}

int checkpoint_peek(int agent_fd, const unsigned char boot_id[16], struct log_anchor *anchor,
                    struct fold *fold, struct error *error) {
  struct header header;
  int fd;
  int result = open_and_read(agent_fd, O_RDONLY, boot_id, &fd, &header, error);

  if (result != 0)
    return result;
  (void)close(fd);
  *anchor = header.anchor;
  *fold = header.fold;
  return 0;
}

void checkpoint_close(struct checkpoint *checkpoint) {
  free(checkpoint->kept);
  checkpoint->kept = NULL;
  if (checkpoint->fd >= 0)
    (void)close(checkpoint->fd);
  checkpoint->fd = -1;
}

static int write_header(const struct checkpoint *checkpoint, int fd,
                        const struct log_anchor *anchor, const struct fold *fold,
                        struct error *error) {
  struct header header;

  memset(&header, 0, sizeof header);
  header.magic = MAGIC;
  header.version = VERSION;
  header.fold_size = sizeof(struct fold);
  memcpy(header.boot_id, checkpoint->boot_id, 16);
  header.seed = checkpoint->seed;
  header.page_bits = checkpoint->page_bits;
  header.anchor = *anchor;
  header.fold = *fold;
  header.checksum = checksum_of(&header);
  return directory_write_at(fd, &header, sizeof header, 0, error);
}

/* Makes the spare file, wholly allocated, so that a full disk shows here and not at an
 * insertion. */
static int open_spare(int agent_fd, unsigned page_bits, int *fd, struct error *error) {
  int failed;

  if (unlinkat(agent_fd, SPARE_FILE, 0) != 0 && errno != ENOENT)
    return error_set_errno(error, KAIZEN_E_IO, errno, SPARE_FILE ": cannot remove");
  if (directory_open_file(agent_fd, SPARE_FILE, O_RDWR | O_CREAT | O_EXCL, fd, error) != 0)
    return -1;
  failed = os_files_reserve(*fd, (off_t)file_size_for(page_bits));
  if (failed == 0)
    return 0;
  (void)close(*fd);
  (void)unlinkat(agent_fd, SPARE_FILE, 0);
  return error_set_errno(error, KAIZEN_E_IO, failed, "%s: cannot make room", CHECKPOINT_FILE);
}

static int put_in_place(struct checkpoint *checkpoint, int fd, struct error *error) {
  if (renameat(checkpoint->agent_fd, SPARE_FILE, checkpoint->agent_fd, CHECKPOINT_FILE) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, CHECKPOINT_FILE ": cannot replace");
  checkpoint_close(checkpoint);
  checkpoint->fd = fd;
  return 0;
}

static uint64_t page_of(uint64_t hash, unsigned page_bits) {
  return page_bits ? hash >> (64 - page_bits) : 0;
}

static uint64_t page_offset(uint64_t page) {
  return HEADER_BYTES + page * PAGE;
}

/* A sum, so that its terms need not wait for each other: it is taken at every look-up. */
static uint64_t sum_of(const struct checkpoint *checkpoint, uint64_t number,
                       const struct page *page) {
  uint64_t sum = checkpoint->seed ^ (SUM_HASH * (number + 1) + page->count);
  size_t i;

  for (i = 0; i < page->count; i++)
    sum += page->entries[i].hash * SUM_HASH + page->entries[i].offset * SUM_OFFSET;
  return sum;
}

/* 1: damaged. */
static int read_page(const struct checkpoint *checkpoint, uint64_t number, struct page *page,
                     struct error *error) {
  size_t got;

  if (directory_read_at(checkpoint->fd, page, PAGE, page_offset(number), &got, error) != 0)
    return -1;
  return got < PAGE || page->count > PAGE_ENTRIES || page->sum != sum_of(checkpoint, number, page);
}

static int write_page(const struct checkpoint *checkpoint, int fd, uint64_t number,
                      struct page *page, struct error *error) {
  page->sum = sum_of(checkpoint, number, page);
  return directory_write_at(fd, page, PAGE, page_offset(number), error);
}

/* ---- pages kept while the lock is held ------------------------------------------------------- */

void checkpoint_keep(struct checkpoint *checkpoint, size_t keys) {
  size_t places = 4, table;

  free(checkpoint->kept);
  checkpoint->kept = NULL;
  while (places < 2 * keys)
    places *= 2;
  table = sizeof(struct checkpoint_kept) + places * sizeof(uint32_t);
  if (checkpoint->fd < 0 || keys == 0 || keys >= NOT_KEPT)
    return;
  checkpoint->kept = malloc(table + keys * sizeof(struct kept_page));
  if (!checkpoint->kept)
    return;
  *checkpoint->kept = (struct checkpoint_kept){.mask = places - 1, .room = keys};
  /* places is an even number of 4 bytes after an even number of 8: aligned */
  checkpoint->kept->pages = (struct kept_page *)(void *)((char *)checkpoint->kept + table);
  memset(checkpoint->kept->places, 0xff, places * sizeof(uint32_t));
}

/* The page where it is kept; NULL where it is not, and *place then is the one for it. */
static struct kept_page *kept_page(struct checkpoint_kept *kept, uint64_t number, size_t *place) {
  for (*place = (size_t)number & kept->mask; kept->places[*place] != NOT_KEPT;
       *place = (*place + 1) & kept->mask)
    if (kept->pages[kept->places[*place]].number == number)
      return &kept->pages[kept->places[*place]];
  return NULL;
}

/* Points *page at the page: the one that is kept, or at `own`, read now.  *kept says which; it is
 * NULL for `own`.  1: damaged. */
static int take_page(const struct checkpoint *checkpoint, uint64_t number, struct page *own,
                     struct page **page, struct kept_page **kept, struct error *error) {
  struct checkpoint_kept *all = checkpoint->kept;
  size_t place = 0;
  int result;

  *kept = all ? kept_page(all, number, &place) : NULL;
  if (*kept || !all || all->count == all->room) {
    *page = *kept ? &(*kept)->page : own;
    return *kept ? 0 : read_page(checkpoint, number, own, error);
  }
  *kept = &all->pages[all->count];
  *page = &(*kept)->page;
  result = read_page(checkpoint, number, *page, error);
  if (result != 0)
    return result;
  (*kept)->number = number;
  (*kept)->changed = false;
  all->places[place] = (uint32_t)all->count++;
  return 0;
}

/* Writes the pages that were changed; they stay. */
static int write_kept(struct checkpoint *checkpoint, struct error *error) {
  struct checkpoint_kept *kept = checkpoint->kept;
  size_t i;

  for (i = 0; kept && i < kept->count; i++) {
    if (kept->pages[i].changed && write_page(checkpoint, checkpoint->fd, kept->pages[i].number,
                                             &kept->pages[i].page, error) != 0)
      return -1;
    kept->pages[i].changed = false;
  }
  return 0;
}

int checkpoint_flush(struct checkpoint *checkpoint, struct error *error) {
  int result = write_kept(checkpoint, error);

  free(checkpoint->kept);
  checkpoint->kept = NULL;
  return result;
}

/* ---- the file -------------------------------------------------------------------------------- */

int checkpoint_reset(struct checkpoint *checkpoint, int agent_fd, const unsigned char boot_id[16],
                     struct error *error) {
  struct log_anchor anchor = {0};
  struct page page = {0};
  struct fold fold;
  int fd;

  *checkpoint = (struct checkpoint){.agent_fd = agent_fd, .fd = -1};
  memcpy(checkpoint->boot_id, boot_id, 16);
  /* without entropy the table still works; only its resistance to made-up keys is gone */
  if (os_process_random(&checkpoint->seed, sizeof checkpoint->seed) != 0)
    checkpoint->seed = MAGIC;
  fold_init(&fold);
  if (open_spare(agent_fd, checkpoint->page_bits, &fd, error) != 0)
    return -1;
  if (write_header(checkpoint, fd, &anchor, &fold, error) == 0 &&
      write_page(checkpoint, fd, 0, &page, error) == 0 && put_in_place(checkpoint, fd, error) == 0)
    return 0;
  (void)close(fd);
  (void)unlinkat(agent_fd, SPARE_FILE, 0);
  return -1;
}

int checkpoint_store(struct checkpoint *checkpoint, const struct log_anchor *anchor,
                     const struct fold *fold, struct error *error) {
  struct stat held, named;

  if (fstat(checkpoint->fd, &held) != 0 ||
      fstatat(checkpoint->agent_fd, CHECKPOINT_FILE, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
      held.st_ino != named.st_ino || held.st_dev != named.st_dev)
    return 1;
  if (write_kept(checkpoint, error) != 0)
    return -1;
  return write_header(checkpoint, checkpoint->fd, anchor, fold, error);
}

int checkpoint_find(struct checkpoint *checkpoint, struct span key, uint64_t *offsets, size_t max,
                    size_t *count, struct error *error) {
  struct page own, *page;
  struct kept_page *kept;
  uint64_t hash = hash_bytes(key.ptr, key.len, checkpoint->seed);
  int result =
      take_page(checkpoint, page_of(hash, checkpoint->page_bits), &own, &page, &kept, error);
  size_t i;

  *count = 0;
  if (result != 0)
    return result;
  for (i = 0; i < page->count; i++)
    if (page->entries[i].hash == hash && *count < max)
      offsets[(*count)++] = page->entries[i].offset;
  return 0;
}

/* Deals the entries of a page out to two of the new file. */
static void deal_out(const struct page *from, unsigned bits, struct page to[2]) {
  size_t i;

  to[0].count = to[1].count = 0;
  for (i = 0; i < from->count; i++) {
    struct page *half = &to[page_of(from->entries[i].hash, bits) & 1];

    half->entries[half->count++] = from->entries[i];
  }
}

/* All pages, in one streaming pass.  1: damaged. */
static int copy_doubled(const struct checkpoint *checkpoint, int fd, struct error *error) {
  unsigned bits = checkpoint->page_bits + 1;
  uint64_t number, pages = UINT64_C(1) << checkpoint->page_bits;
  struct page from, to[2 * GROW_PAGES];
  size_t filled = 0, i;

  memset(to, 0, sizeof to);
  for (number = 0; number < pages; number++) {
    int result = read_page(checkpoint, number, &from, error);

    if (result != 0)
      return result;
    deal_out(&from, bits, &to[filled]);
    filled += 2;
    if (filled < 2 * GROW_PAGES && number + 1 < pages)
      continue;
    for (i = 0; i < filled; i++)
      to[i].sum = sum_of(checkpoint, 2 * (number + 1) - filled + i, &to[i]);
    if (directory_write_at(fd, to, filled * PAGE, page_offset(2 * (number + 1) - filled), error) !=
        0)
      return -1;
    filled = 0;
  }
  return 0;
}

/* 1: damaged. */
static int grow(struct checkpoint *checkpoint, struct error *error) {
  struct header header;
  int fd, result;

  if (checkpoint->page_bits == PAGE_BITS_MAX)
    return error_set(error, KAIZEN_E_IO, CHECKPOINT_FILE ": is full");
  if (checkpoint_flush(checkpoint, error) != 0)
    return -1;
  /* the new header says no more than the old one did: keys after it are only hints */
  result = read_header(checkpoint->fd, &header, error);
  if (result != 0)
    return result;
  if (open_spare(checkpoint->agent_fd, checkpoint->page_bits + 1, &fd, error) != 0)
    return -1;
  result = copy_doubled(checkpoint, fd, error);
  if (result == 0) {
    checkpoint->page_bits++;
    result = write_header(checkpoint, fd, &header.anchor, &header.fold, error);
    if (result == 0)
      result = put_in_place(checkpoint, fd, error);
    if (result != 0)
      checkpoint->page_bits--;
  }
  if (result == 0)
    return 0;
  (void)close(fd);
  (void)unlinkat(checkpoint->agent_fd, SPARE_FILE, 0);
  return result;
}

int checkpoint_add(struct checkpoint *checkpoint, struct span key, uint64_t offset,
                   struct error *error) {
  struct page own, *page;
  struct kept_page *kept;
  struct entry added = {.hash = hash_bytes(key.ptr, key.len, checkpoint->seed), .offset = offset};

  for (;;) {
    uint64_t number = page_of(added.hash, checkpoint->page_bits);
    int result = take_page(checkpoint, number, &own, &page, &kept, error);
    size_t i;

    if (result != 0)
      return result;
    for (i = 0; i < page->count; i++)
      if (memcmp(&page->entries[i], &added, sizeof added) == 0)
        return 0; /* folded once more after a restart */
    if (page->count < PAGE_ENTRIES) {
      page->entries[page->count++] = added;
      if (!kept)
        return write_page(checkpoint, checkpoint->fd, number, page, error);
      kept->changed = true;
      return 0;
    }
    result = grow(checkpoint, error);
    if (result != 0)
      return result;
  }
}
