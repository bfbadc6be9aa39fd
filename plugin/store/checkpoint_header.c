/* checkpoint_header.c - what an index says of itself: its head, two slots, and doubts.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Three headers of one layout: the head, and two slots. */
#include "store/checkpoint_header.h"

#include <stddef.h>
#include <string.h>

#include "base/directory.h"
#include "base/hash.h"
#include "base/os_process.h"

#define VERSION 1
#define HEADER_BYTES 4096
#define SLOTS 2
#define DOUBT_AT 4088 /* in the head's block, after the head, and written apart from it */
_Static_assert(KEY_PAGES_AT == (1 + SLOTS) * HEADER_BYTES, "the pages begin after the slots");
_Static_assert(sizeof(struct checkpoint_header) <= DOUBT_AT, "the header fits its place");

/* ---- headers --------------------------------------------------------------------------------- */

static uint64_t checksum_of(const struct checkpoint_header *header) {
  return hash_bytes(header, offsetof(struct checkpoint_header, checksum), CHECKPOINT_HEADER_MAGIC);
}

static bool anchor_valid(const struct log_anchor *anchor) {
  return anchor->end <= INT64_MAX && (anchor->end == 0 || anchor->offset < anchor->end);
}

static bool header_valid(const struct checkpoint_header *header, uint64_t file_size) {
  return header->magic == CHECKPOINT_HEADER_MAGIC && header->version == VERSION &&
         header->fold_size == sizeof(struct fold) && header->checksum == checksum_of(header) &&
         header->page_bits <= KEY_PAGES_BITS_MAX && anchor_valid(&header->anchor) &&
         file_size >= key_pages_file_size((unsigned)header->page_bits);
}

struct checkpoint_header checkpoint_header_make(uint64_t seed, unsigned page_bits,
                                                const struct log_anchor *anchor,
                                                const struct fold *fold) {
  struct checkpoint_header header;

  memset(&header, 0, sizeof header);
  header.magic = CHECKPOINT_HEADER_MAGIC;
  header.version = VERSION;
  header.fold_size = sizeof(struct fold);
  header.seed = seed;
  header.page_bits = page_bits;
  header.anchor = *anchor;
  header.fold = *fold;
  return header;
}

int checkpoint_header_write(int fd, struct checkpoint_header *header, uint64_t offset,
                            struct error *error) {
  header->checksum = checksum_of(header);
  return directory_write_at(fd, header, sizeof *header, offset, error);
}

int checkpoint_header_read(int fd, uint64_t file_size, uint64_t offset,
                           struct checkpoint_header *header, struct error *error) {
  size_t got;

  if (directory_read_at(fd, header, sizeof *header, offset, &got, error) != 0)
    return -1;
  return got == sizeof *header && header_valid(header, file_size) ? 0 : 1;
}

uint64_t checkpoint_header_slot_offset(uint64_t sequence) {
  return HEADER_BYTES + (sequence % SLOTS) * HEADER_BYTES;
}

int checkpoint_header_read_slot(int fd, uint64_t file_size, struct checkpoint_header *slot,
                                struct error *error) {
  struct checkpoint_header other;
  int result = 1;

  for (uint64_t i = 0; i < SLOTS; i++) {
    int found =
        checkpoint_header_read(fd, file_size, checkpoint_header_slot_offset(i), &other, error);

    if (found < 0)
      return -1;
    if (found == 0 && (result == 1 || other.sequence > slot->sequence)) {
      *slot = other;
      result = 0;
    }
  }
  return result;
}

/* ---- what a failed sync leaves --------------------------------------------------------------- */

static uint64_t this_boot(void) {
  char text[64];

  os_process_boot_text(text, sizeof text);
  return hash_bytes(text, strlen(text), CHECKPOINT_HEADER_MAGIC) &
         ~(uint64_t)CHECKPOINT_DOUBT_KINDS;
}

unsigned checkpoint_header_doubt(int fd) {
  uint64_t doubt;
  size_t got;

  if (directory_read_at(fd, &doubt, sizeof doubt, DOUBT_AT, &got, NULL) != 0 ||
      got < sizeof doubt || doubt == 0 ||
      (doubt & ~(uint64_t)CHECKPOINT_DOUBT_KINDS) != this_boot())
    return 0;
  return (unsigned)(doubt & CHECKPOINT_DOUBT_KINDS);
}

void checkpoint_header_add_doubt(int fd, unsigned kind) {
  uint64_t doubt = this_boot() | checkpoint_header_doubt(fd) | kind;

  (void)directory_write_at(fd, &doubt, sizeof doubt, DOUBT_AT, NULL);
}
