/* bench_readers.c - what a recorder gets done while eight threads read the summary of its agent
 * without a pause.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kaizen/extensions.h>

enum { READERS = 8 };

static char root[BENCH_PATH];
static atomic_bool reading, ended;
static atomic_ulong reads;

static void pause_ms(long ms) {
  nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void *reader(void *ctx) {
  const struct kaizen_inspect_1 *inspect = ctx;
  struct kaizen_instance *instance = bench_start(root, NULL);
  struct kaizen_summary summary = {.struct_size = sizeof summary};

  while (!atomic_load(&ended)) {
    int32_t code;

    if (!atomic_load(&reading)) {
      pause_ms(1);
      continue;
    }
    code = inspect->summary(instance, "bench", KAIZEN_NTS, &summary);
    if (code != KAIZEN_OK)
      bench_refused(instance, "a reader", code);
    atomic_fetch_add(&reads, 1);
  }
  bench_stop(instance);
  return NULL;
}

struct share {
  double recorded, busy, longest_ms;
};

static struct share record_for(struct kaizen_instance *instance, double seconds, long pause) {
  struct kaizen_execution execution = bench_execution("bench");
  struct share share = {0};
  double begin, took, end = bench_wall_s() + seconds;

  while ((begin = bench_wall_s()) < end) {
    int32_t code = bench_plugin()->on_execution_end(instance, &execution, NULL, NULL);

    if (code != KAIZEN_RECORDED && code != KAIZEN_E_BUSY)
      bench_refused(instance, "on_execution_end", code);
    took = (bench_wall_s() - begin) * 1e3;
    share.recorded += code == KAIZEN_RECORDED;
    share.busy += code == KAIZEN_E_BUSY;
    share.longest_ms = took > share.longest_ms ? took : share.longest_ms;
    if (pause)
      pause_ms(pause);
  }
  share.recorded /= seconds;
  return share;
}

/* `pause` milliseconds between two records; 0 for a recorder that makes as many as it can. */
static void compare(struct kaizen_instance *instance, const char *name, long pause) {
  double alone[BENCH_PAIRS], beside[BENCH_PAIRS], ratio[BENCH_PAIRS], read[BENCH_PAIRS];
  double seconds = bench_full() ? 3 : 0.5, busy = 0, longest_ms = 0;
  char label[64];

  for (unsigned i = 0; i < BENCH_PAIRS; i++) {
    unsigned long before = atomic_load(&reads);
    struct share share;

    alone[i] = record_for(instance, seconds, pause).recorded;
    atomic_store(&reading, true);
    share = record_for(instance, seconds, pause);
    atomic_store(&reading, false);
    beside[i] = share.recorded;
    ratio[i] = beside[i] / alone[i];
    read[i] = (double)(atomic_load(&reads) - before) / seconds;
    busy += share.busy;
    longest_ms = share.longest_ms > longest_ms ? share.longest_ms : longest_ms;
  }
  snprintf(label, sizeof label, "%s.alone", name);
  bench_print(label, alone, BENCH_PAIRS, "records/s", NULL);
  snprintf(label, sizeof label, "%s.beside", name);
  bench_print(label, beside, BENCH_PAIRS, "records/s", NULL);
  snprintf(label, sizeof label, "%s.reads", name);
  bench_print(label, read, BENCH_PAIRS, "reads/s", NULL);
  snprintf(label, sizeof label, "%s.longest", name);
  bench_print_one(label, longest_ms, "ms", NULL);
  snprintf(label, sizeof label, "%s.busy", name);
  bench_print_one(label, busy, "calls", "= 0");
  snprintf(label, sizeof label, "%s.ratio", name);
  bench_print(label, ratio, BENCH_PAIRS, "", ">= 0.5");
}

int main(void) {
  /* as long as a host waits that has configured nothing */
  const char *const keys[] = {"lock_timeout_ms", "2000", NULL};
  struct kaizen_instance *instance;
  struct kaizen_execution execution = bench_execution("bench");
  pthread_t threads[READERS];

  bench_folder(root, "readers", false);
  instance = bench_start(root, keys);
  bench_record(instance, &execution);
  for (unsigned i = 0; i < READERS; i++)
    if (pthread_create(&threads[i], NULL, reader, (void *)bench_extension(KAIZEN_INSPECT_1)) != 0)
      bench_fail("pthread_create");
  compare(instance, "q10.loop", 0);
  compare(instance, "q10.each_ms", 1);
  atomic_store(&ended, true);
  for (unsigned i = 0; i < READERS; i++)
    pthread_join(threads[i], NULL);
  bench_stop(instance);
  return 0;
}
