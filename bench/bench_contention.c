/* bench_contention.c - processes that record for one agent without a pause: how long the unluckiest
 * call waits, and what all of them get done.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES_MAX = 6, SAMPLES_MAX = 200000 };

struct share {
  double recorded, p99_ms, longest_ms;
};

static struct share record_for(const char *root, double seconds) {
  static double taken[SAMPLES_MAX];
  struct kaizen_execution execution = bench_execution("bench");
  struct kaizen_instance *instance = bench_start(root, NULL);
  double end = bench_wall_s() + seconds;
  size_t count = 0;

  do { /* one at least, on a machine that others keep busy */
    double begin = bench_wall_s();

    bench_record(instance, &execution);
    taken[count++] = (bench_wall_s() - begin) * 1e3;
  } while (count < SAMPLES_MAX && bench_wall_s() < end);
  bench_stop(instance);
  bench_sort(taken, count);
  return (struct share){(double)count, bench_percentile(taken, count, 0.99), taken[count - 1]};
}

static void contend(unsigned processes, double seconds) {
  double recorded[PROCESSES_MAX], p99[PROCESSES_MAX], longest[PROCESSES_MAX], all = 0;
  char root[BENCH_PATH], label[64];
  int ends[2];

  bench_folder(root, "contention", false);
  if (pipe(ends) != 0)
    bench_fail("pipe");
  for (unsigned i = 0; i < processes; i++) {
    struct share share;

    if (fork() != 0)
      continue;
    share = record_for(root, seconds);
    _exit(write(ends[1], &share, sizeof share) == sizeof share ? 0 : 1);
  }
  for (unsigned i = 0; i < processes; i++) {
    struct share share;
    int status;

    if (wait(&status) < 0 || status != 0 || read(ends[0], &share, sizeof share) != sizeof share)
      bench_fail("a recording process");
    recorded[i] = share.recorded / seconds;
    p99[i] = share.p99_ms;
    longest[i] = share.longest_ms;
    all += recorded[i];
  }
  snprintf(label, sizeof label, "contention.%u.all", processes);
  bench_print_one(label, all, "records/s", NULL);
  snprintf(label, sizeof label, "contention.%u.each", processes);
  bench_print(label, recorded, processes, "records/s", NULL);
  snprintf(label, sizeof label, "contention.%u.p99", processes);
  bench_print(label, p99, processes, "ms", NULL);
  snprintf(label, sizeof label, "contention.%u.longest", processes);
  bench_print(label, longest, processes, "ms", NULL);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  double seconds = bench_full() ? 10 : 2;

  contend(1, seconds);
  contend(2, seconds);
  contend(6, seconds);
  return 0;
}
