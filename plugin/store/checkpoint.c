/* checkpoint.c - where folding stopped, and where each idempotency key stands in the log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * docs/design.md, "The index survives a boot", has the reasons. */
#include "store/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/hash.h"
#include "base/os_files.h"
#include "base/os_process.h"

#define SPARE_FILE CHECKPOINT_FILE ".new"
#define NS_PER_S INT64_C(1000000000)
#define FORMER_FILE ".index-1" /* of earlier versions */

/* ---- what can be trusted --------------------------------------------------------------------- */

/* Does this process see the file as it was written?  When the file comes from a disk, the head may
 * be ahead of its keys: after a loss of power, and in a snapshot of the disk that is mounted within
 * the same boot.  It is not ahead when the process that wrote it has held the project open since,
 * or when anybody has had the index open: what is open stays mounted. */
static bool has_lived_on(const struct checkpoint_header *head, const struct stat *status, bool held,
                         const struct project *project) {
  static const unsigned char nobody[16];

  if (head->device != status->st_dev || head->inode != status->st_ino)
    return false;
  if (held)
    return true;
  return status->st_dev == project->device && memcmp(project->life, nobody, 16) != 0 &&
         memcmp(head->life, project->life, 16) == 0;
}

/* From a copy, or from before this boot, it says nothing: a loss of power may have cut the log. */
static struct checkpoint_memory remember(const struct checkpoint_header *head,
                                         const struct stat *status) {
  int64_t boot_s = (clock_wall_ns() - clock_boot_ns()) / NS_PER_S;

  if (head->device != status->st_dev || head->inode != status->st_ino ||
      status->st_mtim.tv_sec <= boot_s)
    return (struct checkpoint_memory){0};
  return (struct checkpoint_memory){
      .anchor = head->anchor, .records = head->fold.execution_count, .marked = head->fold.marked};
}

/* *header: the head, where it can be trusted, else the newer slot, else that nothing is folded (of
 * the log with the head's inode number); in the last two cases *lives is false.  1: missing or
 * damaged. */
static int believe(int fd, const struct project *project, struct checkpoint_header *header,
                   uint64_t *durable_end, struct checkpoint_memory *memory, bool *lives,
                   struct error *error) {
  struct checkpoint_header slot;
  struct stat status;
  bool held = os_files_is_held(fd); /* asked before the head is read: then the head was right at
                                     * that moment */
  int has_head, has_slot;

  if (fstat(fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, CHECKPOINT_FILE ": fstat");
  has_head = checkpoint_header_read(fd, (uint64_t)status.st_size, 0, header, error);
  has_slot =
      has_head < 0 ? -1 : checkpoint_header_read_slot(fd, (uint64_t)status.st_size, &slot, error);
  if (has_slot < 0)
    return -1;
  if (checkpoint_header_doubt(fd) & CHECKPOINT_DOUBT_KEYS)
    return 1;
  *durable_end = has_slot == 0 ? slot.anchor.end : 0;
  *memory = has_head == 0 ? remember(header, &status) : (struct checkpoint_memory){0};
  *lives = has_head == 0 && has_lived_on(header, &status, held, project);
  if (*lives)
    return 0;
  if (has_slot == 0) {
    *header = slot;
    return 0;
  }
  header->anchor = (struct log_anchor){.inode = header->anchor.inode};
  fold_init(&header->fold);
  return has_head;
}

static int write_head(const struct checkpoint *checkpoint, int fd, unsigned page_bits,
                      const struct log_anchor *anchor, const struct fold *fold,
                      struct error *error) {
  struct checkpoint_header head =
      checkpoint_header_make(checkpoint->pages.seed, page_bits, anchor, fold);
  struct stat status;

  if (fstat(fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, CHECKPOINT_FILE ": fstat");
  memcpy(head.life, checkpoint->project->life, sizeof head.life);
  head.device = status.st_dev;
  head.inode = status.st_ino;
  return checkpoint_header_write(fd, &head, 0, error);
}

static struct checkpoint closed(int agent_fd, const struct project *project) {
  return (struct checkpoint){.agent_fd = agent_fd, .project = project, .pages = {.fd = -1}};
}

int checkpoint_open(struct checkpoint *checkpoint, int agent_fd, const struct project *project,
                    struct log_anchor *anchor, struct fold *fold, struct error *error) {
  struct checkpoint_header header;
  bool lives;
  int fd, result;

  *checkpoint = closed(agent_fd, project);
  result = directory_open_file(agent_fd, CHECKPOINT_FILE, O_RDWR, &fd, error);
  if (result != 0)
    return result;
  result =
      believe(fd, project, &header, &checkpoint->durable_end, &checkpoint->memory, &lives, error);
  if (result == 0) {
    checkpoint->pages.seed = header.seed;
    checkpoint->pages.bits = (unsigned)header.page_bits;
    /* before anybody can believe that it has stayed mounted */
    if (!lives)
      result =
          write_head(checkpoint, fd, checkpoint->pages.bits, &header.anchor, &header.fold, error);
  }
  if (result != 0) {
    (void)close(fd);
    return result;
  }
  os_files_hold(fd);
  checkpoint->pages.fd = fd;
  key_pages_remember(&checkpoint->pages);
  *anchor = header.anchor;
  *fold = header.fold;
  return 0;
}

int checkpoint_peek(int agent_fd, const struct project *project, struct log_anchor *anchor,
                    struct fold *fold, struct error *error) {
  struct checkpoint_memory memory;
  struct checkpoint_header header;
  uint64_t durable_end;
  bool lives;
  int fd, result = directory_open_file(agent_fd, CHECKPOINT_FILE, O_RDONLY, &fd, error);

  if (result != 0)
    return result;
  result = believe(fd, project, &header, &durable_end, &memory, &lives, error);
  (void)close(fd);
  if (result != 0)
    return result;
  *anchor = header.anchor;
  *fold = header.fold;
  return 0;
}

void checkpoint_close(struct checkpoint *checkpoint) {
  key_pages_forget_kept(&checkpoint->pages);
  key_pages_forget_seen(&checkpoint->pages);
  if (checkpoint->pages.fd >= 0)
    (void)close(checkpoint->pages.fd);
  checkpoint->pages.fd = -1;
}

/* ---- the file -------------------------------------------------------------------------------- */

static int open_spare(int agent_fd, int *fd, struct error *error) {
  if (unlinkat(agent_fd, SPARE_FILE, 0) != 0 && errno != ENOENT)
    return error_set_errno(error, KAIZEN_E_IO, errno, SPARE_FILE ": cannot remove");
  return directory_open_file(agent_fd, SPARE_FILE, O_RDWR | O_CREAT | O_EXCL, fd, error);
}

/* Wholly allocated, so that a full disk is noticed here and not when a key is
 * added. */
static int make_room(int fd, unsigned page_bits, struct error *error) {
  int failed = os_files_reserve(fd, (off_t)key_pages_file_size(page_bits));

  return failed == 0 ? 0
                     : error_set_errno(error, KAIZEN_E_IO, failed, "%s: cannot allocate space",
                                       CHECKPOINT_FILE);
}

/* Without slots: it counts as durable only once it has been synced itself. */
static int put_in_place(struct checkpoint *checkpoint, int fd, struct error *error) {
  os_files_hold(fd);
  if (renameat(checkpoint->agent_fd, SPARE_FILE, checkpoint->agent_fd, CHECKPOINT_FILE) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, CHECKPOINT_FILE ": cannot replace");
  checkpoint_close(checkpoint);
  checkpoint->pages.fd = fd;
  checkpoint->durable_end = 0;
  return 0;
}

static void drop_spare(const struct checkpoint *checkpoint, int fd) {
  (void)close(fd);
  (void)unlinkat(checkpoint->agent_fd, SPARE_FILE, 0);
}

/* Until the folder is on disk a loss of power brings the file back, with slots that may speak of a
 * log that has been rewritten in its place since. */
int checkpoint_remove(int agent_fd) {
  return unlinkat(agent_fd, CHECKPOINT_FILE, 0) == 0 ? fsync(agent_fd) : 0;
}

int checkpoint_reset(struct checkpoint *checkpoint, int agent_fd, const struct project *project,
                     struct error *error) {
  struct log_anchor anchor = {0};
  struct fold fold;
  int fd;

  *checkpoint = closed(agent_fd, project);
  if (checkpoint_remove(agent_fd) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, CHECKPOINT_FILE ": cannot sync its removal");
  (void)unlinkat(agent_fd, FORMER_FILE, 0);
  /* without entropy the table still works; only its resistance to made-up keys is gone */
  if (os_process_random(&checkpoint->pages.seed, sizeof checkpoint->pages.seed) != 0)
    checkpoint->pages.seed = CHECKPOINT_HEADER_MAGIC;
  fold_init(&fold);
  if (open_spare(agent_fd, &fd, error) != 0)
    return -1;
  checkpoint->pages.fd = fd;
  if (make_room(fd, 0, error) == 0 && write_head(checkpoint, fd, 0, &anchor, &fold, error) == 0 &&
      key_pages_begin(&checkpoint->pages, error) == 0) {
    checkpoint->pages.fd = -1;
    if (put_in_place(checkpoint, fd, error) == 0) {
      key_pages_remember(&checkpoint->pages);
      return 0;
    }
  }
  checkpoint->pages.fd = -1;
  drop_spare(checkpoint, fd);
  return -1;
}

static bool is_named(int agent_fd, const char *name, int fd) {
  struct stat held, named;

  return fstat(fd, &held) == 0 && fstatat(agent_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

bool checkpoint_is_in_place(const struct checkpoint *checkpoint) {
  return is_named(checkpoint->agent_fd, CHECKPOINT_FILE, checkpoint->pages.fd);
}

int checkpoint_store(struct checkpoint *checkpoint, const struct log_anchor *anchor,
                     const struct fold *fold, struct error *error) {
  int fd = checkpoint->pages.fd;

  if (!checkpoint_is_in_place(checkpoint))
    return 1;
  if (key_pages_write_kept(&checkpoint->pages, error) != 0)
    return -1;
  return write_head(checkpoint, fd, checkpoint->pages.bits, anchor, fold, error);
}

/* ---- keys ------------------------------------------------------------------------------------ */

void checkpoint_keep(struct checkpoint *checkpoint, size_t keys) {
  key_pages_keep(&checkpoint->pages, keys);
}

int checkpoint_flush(struct checkpoint *checkpoint, struct error *error) {
  int result = key_pages_write_kept(&checkpoint->pages, error);

  key_pages_forget_kept(&checkpoint->pages);
  return result;
}

uint64_t checkpoint_hash(const struct checkpoint *checkpoint, struct span key) {
  return hash_bytes(key.ptr, key.len, checkpoint->pages.seed);
}

int checkpoint_find(struct checkpoint *checkpoint, struct span key, uint64_t *offsets, size_t max,
                    size_t *count, struct error *error) {
  return key_pages_find(&checkpoint->pages, checkpoint_hash(checkpoint, key), offsets, max, count,
                        error);
}

/* The head of a file that is about to be replaced. */
static int read_own_head(const struct checkpoint *checkpoint, struct checkpoint_header *head,
                         struct error *error) {
  struct stat status;

  if (fstat(checkpoint->pages.fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, CHECKPOINT_FILE ": fstat");
  return checkpoint_header_read(checkpoint->pages.fd, (uint64_t)status.st_size, 0, head, error);
}

/* ---- a larger table -------------------------------------------------------------------------- */

int checkpoint_growth_begin(struct checkpoint *checkpoint, unsigned bits,
                            struct checkpoint_growth *growth, struct error *error) {
  struct checkpoint_header head;
  int result;

  checkpoint_growth_none(growth);
  if (bits > KEY_PAGES_BITS_MAX)
    return error_set(error, KAIZEN_E_IO, CHECKPOINT_FILE ": is full");
  if (checkpoint_flush(checkpoint, error) != 0)
    return -1;
  result = read_own_head(checkpoint, &head, error);
  if (result != 0)
    return result;
  if (open_spare(checkpoint->agent_fd, &growth->fd, error) != 0)
    return -1;
  growth->bits = bits;
  growth->head_end = head.anchor.end;
  return 0;
}

int checkpoint_growth_fill(const struct checkpoint *checkpoint, struct checkpoint_growth *growth,
                           struct error *error) {
  if (make_room(growth->fd, growth->bits, error) != 0)
    return -1;
  return key_pages_copy(&checkpoint->pages, growth->fd, growth->bits, error);
}

/* The new head says the same as the old one: keys after it are only hints. */
static int take_place(struct checkpoint *checkpoint, struct checkpoint_growth *growth,
                      struct error *error) {
  unsigned doubt = checkpoint_header_doubt(checkpoint->pages.fd);
  struct checkpoint_header head;
  int result = read_own_head(checkpoint, &head, error);

  if (result == 0)
    result = write_head(checkpoint, growth->fd, growth->bits, &head.anchor, &head.fold, error);
  if (result == 0 && doubt != 0)
    checkpoint_header_add_doubt(growth->fd, doubt);
  if (result == 0)
    result = put_in_place(checkpoint, growth->fd, error);
  if (result != 0)
    return result;
  checkpoint->pages.bits = growth->bits;
  key_pages_remember(&checkpoint->pages);
  checkpoint_growth_none(growth);
  return 0;
}

/* A head that has moved covers keys that were added after the copying. */
static bool still_fits(const struct checkpoint *checkpoint,
                       const struct checkpoint_growth *growth) {
  struct checkpoint_header head;

  return read_own_head(checkpoint, &head, NULL) == 0 && head.anchor.end <= growth->head_end &&
         checkpoint_is_in_place(checkpoint) &&
         is_named(checkpoint->agent_fd, SPARE_FILE, growth->fd);
}

int checkpoint_growth_end(struct checkpoint *checkpoint, struct checkpoint_growth *growth,
                          struct error *error) {
  int result = still_fits(checkpoint, growth) ? take_place(checkpoint, growth, error) : 1;

  checkpoint_growth_drop(checkpoint->agent_fd, growth);
  return result;
}

void checkpoint_growth_none(struct checkpoint_growth *growth) {
  *growth = (struct checkpoint_growth){.fd = -1};
}

void checkpoint_growth_drop(int agent_fd, struct checkpoint_growth *growth) {
  if (growth->fd < 0)
    return;
  if (is_named(agent_fd, SPARE_FILE, growth->fd))
    (void)unlinkat(agent_fd, SPARE_FILE, 0);
  (void)close(growth->fd);
  checkpoint_growth_none(growth);
}

/* 1: damaged. */
static int grow(struct checkpoint *checkpoint, struct error *error) {
  struct checkpoint_growth growth;
  int result = checkpoint_growth_begin(checkpoint, checkpoint->pages.bits + 1, &growth, error);

  if (result == 0)
    result = checkpoint_growth_fill(checkpoint, &growth, error);
  if (result == 0)
    result = take_place(checkpoint, &growth, error);
  checkpoint_growth_drop(checkpoint->agent_fd, &growth);
  return result;
}

int checkpoint_add(struct checkpoint *checkpoint, struct span key, uint64_t offset,
                   struct error *error) {
  for (;;) {
    int result = key_pages_add(&checkpoint->pages, checkpoint_hash(checkpoint, key), offset, error);

    if (result != 2)
      return result;
    result = grow(checkpoint, error);
    if (result != 0)
      return result;
  }
}

int checkpoint_add_sorted(struct checkpoint *checkpoint, const struct key_pages_entry *entries,
                          size_t count, key_pages_same same, void *ctx, int64_t deadline_ns,
                          size_t *done, struct error *error) {
  int result;

  *done = 0;
  do {
    size_t more;

    result = key_pages_add_sorted(&checkpoint->pages, entries + *done, count - *done, same, ctx,
                                  deadline_ns, &more, error);
    *done += more;
  } while (result == 2 && (result = grow(checkpoint, error)) == 0);
  return result;
}

void checkpoint_doubt_log(const struct checkpoint *checkpoint) {
  if (checkpoint->pages.fd >= 0)
    checkpoint_header_add_doubt(checkpoint->pages.fd, CHECKPOINT_DOUBT_LOG);
}
