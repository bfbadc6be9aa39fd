/* bench_durable.c - P2: fsync "always", one thread and 64, against bare appends that are synced.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One thread: append and fdatasync; and, to show where the limit is, the same with the summary
 * replaced after each.  64 threads: the least a group commit can be, one leader that writes and
 * syncs what the others queued meanwhile, with no log to keep in order beyond that and no summary.
 */
#include "bare_loop.h"
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 64, LINE_MAX_BYTES = 512 };

static char line[LINE_MAX_BYTES]; /* the plugin's own */
static size_t line_len;

/* ---- the group commit ------------------------------------------------------------------------ */

struct group {
  int fd;
  pthread_mutex_t mutex;
  pthread_cond_t done;
  uint64_t queued, synced; /* lines */
  bool led;
};

static void commit_group(struct group *group, uint64_t lines) {
  static char text[THREADS * LINE_MAX_BYTES];
  size_t len = 0;

  for (uint64_t i = 0; i < lines; i++, len += line_len)
    memcpy(text + len, line, line_len);
  if (write(group->fd, text, len) != (ssize_t)len || fdatasync(group->fd) != 0)
    bench_fail("group commit");
}

static void append_grouped(struct group *group) {
  uint64_t mine, upto;

  pthread_mutex_lock(&group->mutex);
  mine = ++group->queued;
  while (group->synced < mine) {
    if (group->led) {
      pthread_cond_wait(&group->done, &group->mutex);
      continue;
    }
    group->led = true;
    upto = group->queued;
    pthread_mutex_unlock(&group->mutex);
    commit_group(group, upto - group->synced);
    pthread_mutex_lock(&group->mutex);
    group->synced = upto;
    group->led = false;
    pthread_cond_broadcast(&group->done);
  }
  pthread_mutex_unlock(&group->mutex);
}

static void append_alone(int fd) {
  if (write(fd, line, line_len) != (ssize_t)line_len || fdatasync(fd) != 0)
    bench_fail("append");
}

/* ---- both sides ------------------------------------------------------------------------------ */

struct work {
  struct group *group;              /* bare, or */
  struct kaizen_instance *instance; /* the plugin */
  struct kaizen_execution execution;
  unsigned threads, each;
};

static void *run_thread(void *ctx) {
  struct work *work = ctx;

  for (unsigned i = 0; i < work->each; i++) {
    if (work->instance)
      bench_record(work->instance, &work->execution);
    else if (work->threads > 1)
      append_grouped(work->group);
    else
      append_alone(work->group->fd);
  }
  return NULL;
}

static void run(void *ctx, unsigned count) {
  struct work *work = ctx;
  pthread_t threads[THREADS];

  work->each = (count + work->threads - 1) / work->threads;
  if (work->threads == 1) {
    run_thread(work);
    return;
  }
  for (unsigned i = 0; i < work->threads; i++)
    if (pthread_create(&threads[i], NULL, run_thread, work) != 0)
      bench_fail("pthread_create");
  for (unsigned i = 0; i < work->threads; i++)
    pthread_join(threads[i], NULL);
}

static void take_line(const char *root) {
  char path[BENCH_PATH + 64];
  FILE *file;

  snprintf(path, sizeof path, "%s/.kaizen/metrics/bench/executions.jsonl", root);
  file = fopen(path, "r");
  if (!file || !fgets(line, sizeof line, file))
    bench_fail(path);
  line_len = strlen(line);
  fclose(file);
}

int main(void) {
  const char *const keys[] = {"fsync", "always", NULL};
  char root[BENCH_PATH], path[BENCH_PATH + 16];
  struct group group = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
  struct work ours = {.execution = bench_execution("bench"), .threads = 1};
  struct bare_loop with_summary;
  struct work bare = {.group = &group, .threads = 1};

  bench_folder(root, "durable", false);
  ours.instance = bench_start(root, keys);
  bench_record(ours.instance, &ours.execution);
  take_line(root);
  snprintf(path, sizeof path, "%s/bare.jsonl", root);
  group.fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (group.fd < 0)
    bench_fail(path);
  bench_compare("p2.alone", (struct bench_side){run, &ours}, (struct bench_side){run, &bare},
                bench_full() ? 40 : 5, 50, true, ">= 0.95");
  bare_loop_open(&with_summary, root);
  with_summary.sync = true;
  bench_compare("p2.alone_with_summary", (struct bench_side){run, &ours},
                (struct bench_side){bare_loop_run, &with_summary}, bench_full() ? 40 : 5, 50, true,
                NULL);
  bare_loop_close(&with_summary);
  ours.threads = bare.threads = THREADS;
  bench_compare("p2.threads_64", (struct bench_side){run, &ours}, (struct bench_side){run, &bare},
                bench_full() ? 16 : 4, 64 * 60, true, ">= 0.9");
  bench_stop(ours.instance);
  close(group.fd);
  return 0;
}
