/* bench_growth.c - how the cost of a record grows with the log, the agents and the threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Records and agents in memory, where the file system adds least of its own; by processor time.
 * Lines `growth.WHAT.SIZE value unit`: medians of BENCH_PAIRS slices, each curve's points taken in
 * turn, so that a slow moment of the machine meets all of them. */
#include "bench.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { POINTS_MAX = 8, THREADS_MAX = 64 };

static double slices[POINTS_MAX][BENCH_PAIRS];

static void print(const char *what, size_t points, const unsigned *sizes, const char *unit) {
  char label[64];

  for (size_t i = 0; i < points; i++) {
    snprintf(label, sizeof label, "growth.%s.%u", what, sizes[i]);
    bench_print(label, slices[i], BENCH_PAIRS, unit, NULL);
  }
}

static double cost_us(struct kaizen_instance *instance, const char *agent, unsigned count) {
  static unsigned long long next;
  struct kaizen_execution execution = bench_execution(agent);
  double begin = bench_cpu_s();
  char key[32];

  for (unsigned i = 0; i < count; i++) {
    snprintf(key, sizeof key, "g-%llu", next++);
    execution.idempotency_key = (struct kaizen_str){key, KAIZEN_NTS};
    bench_record(instance, &execution);
  }
  return (bench_cpu_s() - begin) / count * 1e6;
}

static void by_records(void) {
  static const unsigned sizes[] = {1000, 10000, 100000, 1000000};
  size_t points = bench_full() ? 4 : 3;
  struct kaizen_instance *instance;
  char root[BENCH_PATH], agent[32];

  bench_folder(root, "growth", true);
  instance = bench_start(root, NULL);
  for (size_t i = 0; i < points; i++) {
    snprintf(agent, sizeof agent, "agent-%u", sizes[i]);
    bench_fill(instance, agent, "old", 0, sizes[i]);
  }
  for (int slice = 0; slice < BENCH_PAIRS; slice++)
    for (size_t i = 0; i < points; i++) {
      snprintf(agent, sizeof agent, "agent-%u", sizes[i]);
      (void)cost_us(instance, agent, 5);
      slices[i][slice] = cost_us(instance, agent, 200);
    }
  bench_stop(instance);
  print("records", points, sizes, "us_of_cpu");
}

static double count_descriptors(void) {
  DIR *folder = opendir("/proc/self/fd");
  double count = 0;

  while (folder && readdir(folder))
    count++;
  if (folder)
    closedir(folder);
  return count;
}

/* One record for each agent in turn: the least any cache can do. */
static void by_agents(void) {
  static const unsigned sizes[] = {1, 10, 30, 100, 1000, 10000};
  size_t points = bench_full() ? 6 : 5;
  char root[BENCH_PATH], agent[32], label[64];

  for (size_t i = 0; i < points; i++) {
    struct kaizen_instance *instance;
    unsigned at = 0;

    bench_folder(root, "growth", true);
    instance = bench_start(root, NULL);
    for (unsigned each = 0; each < sizes[i]; each++) {
      snprintf(agent, sizeof agent, "agent-%u", each);
      (void)cost_us(instance, agent, 1);
    }
    for (int slice = 0; slice < BENCH_PAIRS; slice++) {
      double begin = bench_cpu_s();

      for (unsigned record = 0; record < 200; record++) {
        snprintf(agent, sizeof agent, "agent-%u", at++ % sizes[i]);
        (void)cost_us(instance, agent, 1);
      }
      slices[i][slice] = (bench_cpu_s() - begin) / 200 * 1e6;
    }
    snprintf(label, sizeof label, "growth.agents_descriptors.%u", sizes[i]);
    bench_print_one(label, count_descriptors(), "fds", NULL);
    snprintf(label, sizeof label, "growth.agents_memory.%u", sizes[i]);
    bench_print_one(label, (double)bench_status("VmRSS") / 1024, "MiB", NULL);
    bench_stop(instance);
  }
  print("agents", points, sizes, "us_of_cpu");
}

struct work {
  struct kaizen_instance *instance;
  unsigned each;
};

static void *record_each(void *ctx) {
  const struct work *work = ctx;
  struct kaizen_execution execution = bench_execution("bench");

  for (unsigned i = 0; i < work->each; i++)
    bench_record(work->instance, &execution);
  return NULL;
}

static double rate(struct kaizen_instance *instance, unsigned threads, unsigned count) {
  struct work work = {instance, count / threads + 1};
  pthread_t thread[THREADS_MAX];
  double begin = bench_wall_s();

  for (unsigned i = 0; i < threads; i++)
    if (pthread_create(&thread[i], NULL, record_each, &work) != 0)
      bench_fail("pthread_create");
  for (unsigned i = 0; i < threads; i++)
    pthread_join(thread[i], NULL);
  return work.each * threads / (bench_wall_s() - begin);
}

static void by_threads(const char *fsync) {
  static const unsigned sizes[] = {1, 2, 4, 8, 16, 32, 64};
  const char *const keys[] = {"fsync", fsync, NULL};
  size_t points = sizeof sizes / sizeof *sizes;
  struct kaizen_instance *instance;
  char root[BENCH_PATH], what[32];

  bench_folder(root, "growth", false);
  instance = bench_start(root, keys);
  for (int slice = 0; slice < BENCH_PAIRS; slice++)
    for (size_t i = 0; i < points; i++)
      slices[i][slice] = rate(instance, sizes[i], fsync[0] == 'a' ? 40 * sizes[i] : 800);
  bench_stop(instance);
  snprintf(what, sizeof what, "threads_%s", fsync);
  print(what, points, sizes, "records/s");
}

int main(void) {
  by_records();
  by_agents();
  by_threads("never");
  by_threads("always");
  return 0;
}
