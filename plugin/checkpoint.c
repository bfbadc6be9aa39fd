/* checkpoint.c - where folding stopped, and where each idempotency key stands in the log.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/directory.h"
#include "base/hash.h"

#define SPARE_FILE CHECKPOINT_FILE ".new"
#define MAGIC UINT64_C(0x31584449495a414b) /* "KAZIIDX1" */
#define VERSION 2
#define PAGE 4096
#define PAGE_ENTRIES (PAGE / sizeof(struct entry))
#define PAGE_BITS_MAX 32

struct entry {
  uint64_t hash;
  uint64_t offset_plus_one; /* 0: free */
};

struct header { /* the first page */
  uint64_t magic;
  uint32_t version, fold_size;
  unsigned char boot_id[16];
  uint64_t seed;
  uint64_t page_bits;
  struct log_anchor anchor;
  struct fold fold;
  uint64_t checksum; /* of all before it */
};
_Static_assert(sizeof(struct header) <= PAGE, "the header fits its page");

static uint64_t checksum_of(const struct header *header) {
  return hash_bytes(header, offsetof(struct header, checksum), MAGIC);
}

static bool is_zero(const unsigned char id[16]) {
  static const unsigned char zero[16];

  return memcmp(id, zero, 16) == 0;
}

static bool header_valid(const struct header *header, const unsigned char boot_id[16]) {
  return header->magic == MAGIC && header->version == VERSION &&
         header->fold_size == sizeof(struct fold) && header->checksum == checksum_of(header) &&
         header->page_bits <= PAGE_BITS_MAX && !is_zero(boot_id) &&
         memcmp(header->boot_id, boot_id, 16) == 0;
}

static uint64_t file_size_for(unsigned page_bits) {
  return PAGE + ((uint64_t)PAGE << page_bits);
}

/* 0 with *header valid and the file at least as long as it says, 1 not, -1. */
static int read_header(int fd, const unsigned char boot_id[16], struct header *header,
                       struct error *error) {
  struct stat status;
  size_t got;

  if (directory_read_at(fd, header, sizeof *header, 0, &got, error) != 0)
    return -1;
  if (got < sizeof *header || !header_valid(header, boot_id))
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
  result = read_header(*fd, boot_id, header, error);
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
  do
    failed = posix_fallocate(*fd, 0, (off_t)file_size_for(page_bits));
  while (failed == EINTR);
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

int checkpoint_reset(struct checkpoint *checkpoint, int agent_fd, const unsigned char boot_id[16],
                     struct error *error) {
  struct log_anchor anchor = {0};
  struct fold fold;
  int fd;

  *checkpoint = (struct checkpoint){.agent_fd = agent_fd, .fd = -1};
  memcpy(checkpoint->boot_id, boot_id, 16);
  /* without entropy the table still works; only its resistance to made-up keys is gone */
  if (getrandom(&checkpoint->seed, sizeof checkpoint->seed, GRND_NONBLOCK) < 0)
    checkpoint->seed = MAGIC;
  fold_init(&fold);
  if (open_spare(agent_fd, checkpoint->page_bits, &fd, error) != 0)
    return -1;
  if (write_header(checkpoint, fd, &anchor, &fold, error) == 0 &&
      put_in_place(checkpoint, fd, error) == 0)
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
  return write_header(checkpoint, checkpoint->fd, anchor, fold, error);
}

static uint64_t page_of(uint64_t hash, unsigned page_bits) {
  return page_bits ? hash >> (64 - page_bits) : 0;
}

static uint64_t page_offset(uint64_t page) {
  return PAGE + page * PAGE;
}

static int read_page(const struct checkpoint *checkpoint, uint64_t page,
                     struct entry entries[PAGE_ENTRIES], struct error *error) {
  size_t got;

  if (directory_read_at(checkpoint->fd, entries, PAGE, page_offset(page), &got, error) != 0)
    return -1;
  if (got < PAGE)
    return error_set(error, KAIZEN_E_IO, CHECKPOINT_FILE ": was cut short");
  return 0;
}

static size_t entries_used(const struct entry entries[PAGE_ENTRIES]) {
  size_t used = 0;

  while (used < PAGE_ENTRIES && entries[used].offset_plus_one != 0)
    used++;
  return used;
}

int checkpoint_find(struct checkpoint *checkpoint, struct span key, uint64_t *offsets, size_t max,
                    size_t *count, struct error *error) {
  struct entry entries[PAGE_ENTRIES];
  uint64_t hash = hash_bytes(key.ptr, key.len, checkpoint->seed);
  size_t i;

  *count = 0;
  if (read_page(checkpoint, page_of(hash, checkpoint->page_bits), entries, error) != 0)
    return -1;
  for (i = 0; i < PAGE_ENTRIES && entries[i].offset_plus_one != 0; i++)
    if (entries[i].hash == hash && *count < max)
      offsets[(*count)++] = entries[i].offset_plus_one - 1;
  return 0;
}

/* Every page is dealt out to two of the new file: one streaming pass. */
static int copy_doubled(const struct checkpoint *checkpoint, int fd, struct error *error) {
  unsigned bits = checkpoint->page_bits + 1;
  uint64_t page, pages = UINT64_C(1) << checkpoint->page_bits;
  struct entry from[PAGE_ENTRIES], to[2][PAGE_ENTRIES];

  for (page = 0; page < pages; page++) {
    size_t used[2] = {0, 0}, i;

    if (read_page(checkpoint, page, from, error) != 0)
      return -1;
    memset(to, 0, sizeof to);
    for (i = 0; i < PAGE_ENTRIES && from[i].offset_plus_one != 0; i++) {
      size_t half = page_of(from[i].hash, bits) & 1;

      to[half][used[half]++] = from[i];
    }
    if (directory_write_at(fd, to, sizeof to, page_offset(2 * page), error) != 0)
      return -1;
  }
  return 0;
}

static int grow(struct checkpoint *checkpoint, struct error *error) {
  struct log_anchor anchor;
  struct fold fold;
  struct header header;
  int fd, result;

  if (checkpoint->page_bits == PAGE_BITS_MAX)
    return error_set(error, KAIZEN_E_IO, CHECKPOINT_FILE ": is full");
  /* the new header says no more than the old one did: keys behind it are only hints */
  result = read_header(checkpoint->fd, checkpoint->boot_id, &header, error);
  if (result != 0)
    return result == 1 ? error_set(error, KAIZEN_E_IO, CHECKPOINT_FILE ": is damaged") : -1;
  anchor = header.anchor;
  fold = header.fold;
  if (open_spare(checkpoint->agent_fd, checkpoint->page_bits + 1, &fd, error) != 0)
    return -1;
  result = copy_doubled(checkpoint, fd, error);
  if (result == 0) {
    checkpoint->page_bits++;
    result = write_header(checkpoint, fd, &anchor, &fold, error);
    if (result == 0)
      result = put_in_place(checkpoint, fd, error);
    if (result != 0)
      checkpoint->page_bits--;
  }
  if (result == 0)
    return 0;
  (void)close(fd);
  (void)unlinkat(checkpoint->agent_fd, SPARE_FILE, 0);
  return -1;
}

int checkpoint_add(struct checkpoint *checkpoint, struct span key, uint64_t offset,
                   struct error *error) {
  struct entry entries[PAGE_ENTRIES];
  struct entry added = {.hash = hash_bytes(key.ptr, key.len, checkpoint->seed),
                        .offset_plus_one = offset + 1};

  for (;;) {
    uint64_t page = page_of(added.hash, checkpoint->page_bits);
    size_t used, i;

    if (read_page(checkpoint, page, entries, error) != 0)
      return -1;
    used = entries_used(entries);
    for (i = 0; i < used; i++)
      if (memcmp(&entries[i], &added, sizeof added) == 0)
        return 0; /* folded once more after a restart */
    if (used < PAGE_ENTRIES)
      return directory_write_at(checkpoint->fd, &added, sizeof added,
                                page_offset(page) + used * sizeof added, error);
    if (grow(checkpoint, error) != 0)
      return -1;
  }
}
