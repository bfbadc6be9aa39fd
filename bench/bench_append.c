/* bench_append.c - P1: one record with fsync "never", against a bare loop that only appends the
 * line and replaces the summary.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The bare loop writes the bytes the plugin wrote, and replaces the summary by the same system
 * calls: what no recorder that keeps the files can leave out.  On the build's file system and in
 * memory, where the file system's own share is least and ours shows most. */
#include "bare_loop.h"
#include "bench.h"

struct plugin_loop {
  struct kaizen_instance *instance;
  struct kaizen_execution execution;
};

static void run_plugin(void *ctx, unsigned count) {
  const struct plugin_loop *loop = ctx;

  for (unsigned i = 0; i < count; i++)
    bench_record(loop->instance, &loop->execution);
}

static void compare(const char *name, const char *const *keys, bool in_memory, const char *goal) {
  struct plugin_loop loop = {.execution = bench_execution("bench")};
  struct bare_loop bare;
  char root[BENCH_PATH];

  bench_folder(root, "append", in_memory);
  loop.instance = bench_start(root, keys);
  bench_record(loop.instance, &loop.execution);
  bare_loop_open(&bare, root);
  bench_compare(name, (struct bench_side){run_plugin, &loop},
                (struct bench_side){bare_loop_run, &bare}, bench_full() ? 40 : 4, 250, false, goal);
  bench_stop(loop.instance);
  bare_loop_close(&bare);
}

int main(void) {
  /* nobody listens there: the publisher's thread sleeps, and the events wait in the log */
  const char *const emit[] = {"emit_event", "true", "nats_url", "nats://127.0.0.1:1", NULL};
  const char *const relay[] = {"emit_event", "true", "delivery", "relay", NULL};

  compare("p1.emit", emit, false, ">= 0.7");
  compare("p1.relay", relay, false, NULL);
  compare("p1.silent", NULL, false, NULL);
  compare("p1.emit_in_memory", emit, true, NULL);
  compare("p1.silent_in_memory", NULL, true, NULL);
  return 0;
}
