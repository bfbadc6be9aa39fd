/* bench_footprint.c - P8: threads, descriptors and memory the plugin adds to its host.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * With a broker at NATS_URL; without one the lines about emission are left out. */
#include "bench.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROJECTS = 50 };

struct footprint {
  uint64_t threads, descriptors, kib, sockets;
};

static uint64_t count_descriptors(const char *kind) {
  DIR *folder = opendir("/proc/self/fd");
  struct dirent *entry;
  uint64_t count = 0;

  while (folder && (entry = readdir(folder)) != NULL) {
    char target[256] = "";

    if (entry->d_name[0] == '.' ||
        readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1) < 0)
      continue;
    count += strncmp(target, kind, strlen(kind)) == 0;
  }
  if (folder)
    closedir(folder);
  return count;
}

static struct footprint take(void) {
  return (struct footprint){bench_status("Threads"), count_descriptors(""), bench_status("VmRSS"),
                            count_descriptors("socket:")};
}

static void print(const char *name, struct footprint bare, const char *threads_goal,
                  const char *memory_goal) {
  struct footprint now = take();
  char label[64];

  snprintf(label, sizeof label, "p8.%s.threads", name);
  bench_print_one(label, (double)(now.threads - bare.threads), "threads", threads_goal);
  snprintf(label, sizeof label, "p8.%s.descriptors", name);
  bench_print_one(label, (double)now.descriptors - (double)bare.descriptors, "fds", NULL);
  snprintf(label, sizeof label, "p8.%s.connections", name);
  bench_print_one(label, (double)now.sockets - (double)bare.sockets, "sockets", NULL);
  snprintf(label, sizeof label, "p8.%s.memory", name);
  bench_print_one(label, ((double)now.kib - (double)bare.kib) / 1024, "MiB", memory_goal);
}

static void record_and_flush(struct kaizen_instance *instance, bool emit) {
  struct kaizen_execution execution = bench_execution("bench");

  bench_record(instance, &execution);
  if (emit)
    bench_flush(instance);
}

int main(void) {
  const char *const emit[] = {"emit_event", "true", NULL};
  struct kaizen_instance *instance[PROJECTS];
  struct footprint bare = take();
  char root[BENCH_PATH];

  bench_folder(root, "footprint", false);
  instance[0] = bench_start(root, NULL);
  print("started", bare, "= 0", NULL);
  record_and_flush(instance[0], false);
  print("recorded", bare, "= 0", "<= 8");
  bench_stop(instance[0]);
  if (!getenv("NATS_URL")) {
    printf("p8.emitting skipped: NATS_URL names no broker\n");
    return 0;
  }
  for (int i = 0; i < PROJECTS; i++) {
    bench_folder(root, "footprint", false);
    instance[i] = bench_start(root, emit);
    record_and_flush(instance[i], true);
    if (i == 0)
      print("emitting", bare, "<= 8", "<= 8");
  }
  print("emitting_50", bare, "<= 10", NULL);
  for (int i = 0; i < PROJECTS; i++)
    bench_stop(instance[i]);
  return 0;
}
