/* checkpoint_point.c - what of the index and of its log survives a loss of power.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/checkpoint_point.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Above the standard descriptors, which are the host's. */
static int duplicate(int fd) {
  return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void close_point(struct checkpoint_point *point) {
  if (point->log_fd >= 0)
    (void)close(point->log_fd);
  if (point->index_fd >= 0)
    (void)close(point->index_fd);
  point->log_fd = point->index_fd = -1;
}

void checkpoint_point_none(struct checkpoint_point *point) {
  *point = (struct checkpoint_point){.log_fd = -1, .index_fd = -1};
}

void checkpoint_point_take(struct checkpoint *checkpoint, int log_fd,
                           const struct log_anchor *anchor, const struct fold *fold,
                           struct checkpoint_point *point) {
  *point = (struct checkpoint_point){.log_fd = duplicate(log_fd),
                                     .index_fd = duplicate(checkpoint->pages.fd),
                                     .seed = checkpoint->pages.seed,
                                     .page_bits = checkpoint->pages.bits,
                                     .anchor = *anchor,
                                     .fold = *fold};
  checkpoint->durable_end = anchor->end; /* after a failure too: the next try comes that much
                                          * later */
  if (point->log_fd < 0 || point->index_fd < 0)
    close_point(point);
}

/* The keys of an index whose sync failed may be missing on disk, and later in memory, when the
 * kernel frees the pages: nobody who opens it later believes it. */
static int sync_index(const struct checkpoint_point *point) {
  if (fdatasync(point->index_fd) == 0)
    return 0;
  checkpoint_header_add_doubt(point->index_fd, CHECKPOINT_DOUBT_KEYS);
  return -1;
}

static int sync_log(const struct checkpoint_point *point) {
  if (fdatasync(point->log_fd) == 0)
    return 0;
  checkpoint_header_add_doubt(point->index_fd, CHECKPOINT_DOUBT_LOG);
  return -1;
}

/* The number of the slot to write.  1: the newest one already says as much. */
static int next_sequence(const struct checkpoint_point *point, uint64_t *sequence) {
  struct checkpoint_header newest = {0};
  struct stat status;
  int result;

  if (fstat(point->index_fd, &status) != 0)
    return -1;
  result = checkpoint_header_read_slot(point->index_fd, (uint64_t)status.st_size, &newest, NULL);
  if (result < 0)
    return -1;
  *sequence = newest.sequence + 1;
  return result == 0 && newest.anchor.end >= point->anchor.end;
}

/* Two processes may be here at once: either's slot is true, and the older one stays until a newer
 * one has been written. */
static int make_durable(const struct checkpoint_point *point) {
  struct checkpoint_header slot =
      checkpoint_header_make(point->seed, point->page_bits, &point->anchor, &point->fold);
  int result =
      checkpoint_header_doubt(point->index_fd) != 0 ? 1 : next_sequence(point, &slot.sequence);

  if (result != 0)
    return result;
  if (sync_log(point) != 0 || sync_index(point) != 0)
    return -1;
  /* another process had a failure meanwhile */
  if (checkpoint_header_doubt(point->index_fd) != 0)
    return 1;
  if (checkpoint_header_write(point->index_fd, &slot, checkpoint_header_slot_offset(slot.sequence),
                              NULL) != 0)
    return -1;
  return sync_index(point);
}

int checkpoint_point_sync(struct checkpoint_point *point) {
  int result = point->index_fd >= 0 ? make_durable(point) : 1;

  close_point(point);
  return result;
}
