/* checkpoint_scene.h - one checkpoint, the lives it is opened in, and keys to keep in it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_CHECKPOINT_SCENE_H
#define KAIZEN_TESTS_CHECKPOINT_SCENE_H

#include "sandbox.h"

#include <kaizen/plugin.h>

#include "store/checkpoint.h"

/* Three processes, or one before and after it was started again. */
static struct project this_life = {.life = {1, 2, 3}};
static struct project later_life = {.life = {1, 2, 4}};
static struct project no_life; /* without entropy */

static int folder;
static struct checkpoint checkpoint;
static struct log_anchor anchor;
static struct fold fold;
static struct error error;

SANDBOX_HELPER void set_up(void) {
  struct stat status;

  sandbox_enter();
  folder = open(sandbox.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  cr_assert_eq(fstat(folder, &status), 0);
  this_life.device = later_life.device = no_life.device = status.st_dev;
  checkpoint.pages.fd = -1;
}

SANDBOX_HELPER void tear_down(void) {
  checkpoint_close(&checkpoint);
  (void)close(folder);
  sandbox_leave();
}

SANDBOX_HELPER const char *file(void) {
  return in_sandbox(CHECKPOINT_FILE);
}

SANDBOX_HELPER void reset(const struct project *project) {
  checkpoint_close(&checkpoint);
  cr_assert_eq(checkpoint_reset(&checkpoint, folder, project, &error), 0, "%s", error.text);
}

SANDBOX_HELPER int reopen(const struct project *project) {
  checkpoint_close(&checkpoint);
  return checkpoint_open(&checkpoint, folder, project, &anchor, &fold, &error);
}

SANDBOX_HELPER struct span key_text(unsigned long number) {
  static char text[32];

  return (struct span){text, (size_t)snprintf(text, sizeof text, "key-%lu", number)};
}

SANDBOX_HELPER void add_keys(unsigned long from, unsigned long to) {
  for (unsigned long i = from; i < to; i++)
    cr_assert_eq(checkpoint_add(&checkpoint, key_text(i), 100 * i, &error), 0, "%lu: %s", i,
                 error.text);
}

SANDBOX_HELPER bool finds(unsigned long number) {
  uint64_t offsets[8];
  size_t count;

  cr_assert_eq(checkpoint_find(&checkpoint, key_text(number), offsets, 8, &count, &error), 0, "%s",
               error.text);
  for (size_t i = 0; i < count; i++)
    if (offsets[i] == 100 * number)
      return true;
  return false;
}

SANDBOX_HELPER unsigned long count_found(unsigned long from, unsigned long to) {
  unsigned long found = 0;

  for (unsigned long i = from; i < to; i++)
    found += finds(i);
  return found;
}

SANDBOX_HELPER void store(uint64_t end) {
  struct log_anchor at = {.end = end, .offset = end - 10, .hash = 77};

  fold_init(&fold);
  fold.execution_count = 5;
  fold.quality_sum = 0.1;
  cr_assert_eq(checkpoint_store(&checkpoint, &at, &fold, &error), 0, "%s", error.text);
}

SANDBOX_HELPER void put_at(const char *path, const void *bytes, size_t len, off_t offset) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);

  cr_assert_eq(pwrite(fd, bytes, len, offset), (ssize_t)len);
  (void)close(fd);
}

#endif
