/* bare_loop.c - the least a recorder that keeps both files can do.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bare_loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

static void replace_summary(const struct bare_loop *bare) {
  int fd = openat(bare->folder_fd, ".new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

  if (fd < 0 || write(fd, bare->summary, bare->summary_len) != (ssize_t)bare->summary_len ||
      close(fd) != 0 ||
      renameat2(bare->folder_fd, ".new", bare->folder_fd, "summary.json", RENAME_EXCHANGE) != 0 ||
      unlinkat(bare->folder_fd, ".new", 0) != 0)
    bench_fail("replacing the summary");
}

void bare_loop_run(void *ctx, unsigned count) {
  const struct bare_loop *bare = ctx;

  for (unsigned i = 0; i < count; i++) {
    if (write(bare->log_fd, bare->line, bare->line_len) != (ssize_t)bare->line_len)
      bench_fail("appending");
    if (bare->sync && fdatasync(bare->log_fd) != 0)
      bench_fail("fdatasync");
    replace_summary(bare);
  }
}

/* The whole of a small file. */
static char *read_small(const char *root, const char *name, size_t *len) {
  char path[BENCH_PATH + 64], *text = malloc(1 << 16);
  FILE *file;

  snprintf(path, sizeof path, "%s/.kaizen/metrics/bench/%s", root, name);
  file = fopen(path, "r");
  if (!file || !text)
    bench_fail(path);
  *len = fread(text, 1, 1 << 16, file);
  fclose(file);
  return text;
}

void bare_loop_open(struct bare_loop *bare, const char *root) {
  char folder[BENCH_PATH + 16];
  int fd;

  bare->sync = false;
  bare->line = read_small(root, "executions.jsonl", &bare->line_len);
  bare->summary = read_small(root, "summary.json", &bare->summary_len);
  snprintf(folder, sizeof folder, "%s/bare", root);
  if (mkdir(folder, 0700) != 0)
    bench_fail(folder);
  bare->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bare->log_fd = openat(bare->folder_fd, "log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  fd = openat(bare->folder_fd, "summary.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (bare->log_fd < 0 || fd < 0 || close(fd) != 0)
    bench_fail(folder);
}

void bare_loop_close(struct bare_loop *bare) {
  close(bare->log_fd);
  close(bare->folder_fd);
  free(bare->line);
  free(bare->summary);
}
