/* bench_index.c - Q2, Q3: the first record of a process, and an index that is rebuilt from its log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * After a boot, and in a snapshot of the disk, nobody has kept the file system mounted: a new
 * instance, with nobody else beside it, is in the same position.  The rebuild is the first record
 * after the index was removed; json-c parses the same lines, and somebody else takes the agent's
 * lock again and again meanwhile. */
#include "bench.h"

#include <fcntl.h>
#include <json.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static char root[BENCH_PATH];

static double first_record_s(const char *agent) {
  struct kaizen_execution execution = bench_execution(agent);
  struct kaizen_instance *instance = bench_start(root, NULL);
  double begin = bench_wall_s(), took;

  bench_record(instance, &execution);
  took = bench_wall_s() - begin;
  bench_stop(instance);
  return took;
}

static double parse_s(const char *text, size_t len) {
  struct json_tokener *tokener = json_tokener_new();
  double begin = bench_wall_s();

  for (const char *at = text; at < text + len;) {
    const char *newline = memchr(at, '\n', (size_t)(text + len - at));
    struct json_object *record;

    json_tokener_reset(tokener);
    record = json_tokener_parse_ex(tokener, at, (int)(newline - at));
    if (!record)
      bench_fail("json_tokener_parse_ex");
    json_object_put(record);
    at = newline + 1;
  }
  json_tokener_free(tokener);
  return bench_wall_s() - begin;
}

/* Somebody else, by the protocol of docs/format.md. */
struct other {
  char lock[BENCH_PATH + 64], next[BENCH_PATH + 64];
  atomic_bool ended;
  double longest_s;
};

static void *take_the_lock(void *ctx) {
  struct other *other = ctx;
  int lock = open(other->lock, O_RDWR | O_CLOEXEC), next = open(other->next, O_RDWR | O_CLOEXEC);

  if (lock < 0 || next < 0)
    bench_fail(other->lock);
  while (!atomic_load(&other->ended)) {
    double begin = bench_wall_s(), waited;

    (void)flock(next, LOCK_EX);
    (void)flock(lock, LOCK_EX);
    (void)flock(next, LOCK_UN);
    waited = bench_wall_s() - begin;
    (void)flock(lock, LOCK_UN);
    if (waited > other->longest_s)
      other->longest_s = waited;
    (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  }
  (void)close(lock);
  (void)close(next);
  return NULL;
}

static double rebuild_s(const char *agent, double *longest_wait_s) {
  struct other other = {.longest_s = 0};
  char index[BENCH_PATH + 64];
  pthread_t thread;
  double took;

  snprintf(index, sizeof index, "%s/.kaizen/metrics/%s/.index-2", root, agent);
  snprintf(other.lock, sizeof other.lock, "%s/.kaizen/metrics/%s/.lock", root, agent);
  snprintf(other.next, sizeof other.next, "%s/.kaizen/metrics/%s/.next", root, agent);
  if (unlink(index) != 0)
    bench_fail(index);
  if (pthread_create(&thread, NULL, take_the_lock, &other) != 0)
    bench_fail("pthread_create");
  took = first_record_s(agent);
  atomic_store(&other.ended, true);
  pthread_join(thread, NULL);
  *longest_wait_s = other.longest_s;
  return took;
}

int main(void) {
  unsigned few = 1000, many = bench_full() ? 1000000 : 100000;
  double first_ms[BENCH_PAIRS], ratio[BENCH_PAIRS], rebuild_ms[BENCH_PAIRS], rate[BENCH_PAIRS],
      wait_ms[BENCH_PAIRS], cpu[BENCH_PAIRS];
  struct kaizen_instance *instance;
  size_t len;
  char *lines;

  bench_folder(root, "index", false);
  instance = bench_start(root, NULL);
  bench_fill(instance, "few", "old", 0, few);
  bench_fill(instance, "many", "old", 0, many);
  bench_stop(instance);
  lines = bench_lines("many", "old", 0, many, &len);
  for (int pair = 0; pair < BENCH_PAIRS; pair++) {
    double wait_s, rebuilt_s, cpu_s, rebuilt_cpu_s, one_s = first_record_s("few");

    first_ms[pair] = first_record_s("many") * 1e3;
    ratio[pair] = first_ms[pair] / (one_s * 1e3);
    cpu_s = bench_cpu_s();
    rebuilt_s = rebuild_s("many", &wait_s);
    rebuilt_cpu_s = bench_cpu_s() - cpu_s;
    rebuild_ms[pair] = rebuilt_s * 1e3;
    wait_ms[pair] = wait_s * 1e3;
    cpu_s = bench_cpu_s();
    rate[pair] = parse_s(lines, len) / rebuilt_s;
    cpu[pair] = (bench_cpu_s() - cpu_s) / rebuilt_cpu_s;
  }
  free(lines);
  bench_print("q2.first_after_boot", first_ms, BENCH_PAIRS, "ms", NULL);
  bench_print("q2.first_after_boot.ratio", ratio, BENCH_PAIRS, "x", "<= 2");
  bench_print("q2.longest_wait_of_another", wait_ms, BENCH_PAIRS, "ms", "<= 50");
  bench_print("q3.rebuild", rebuild_ms, BENCH_PAIRS, "ms", NULL);
  bench_print("q3.rebuild.ratio", rate, BENCH_PAIRS, "x", ">= 0.5");
  bench_print("q3.rebuild.cpu_ratio", cpu, BENCH_PAIRS, "x", NULL);
  return 0;
}
