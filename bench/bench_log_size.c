/* bench_log_size.c - P3: what a record costs on a long log over what it costs on a short one, and
 * the memory that grows with it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every record carries a key, so that the index is as long as the log.  In memory: on ext4 without
 * a journal the making of a file costs whatever was deleted in that folder's part of the disk
 * during the last minute, and two folders are seldom equal in that.  Resident memory is this
 * process's, from after the first record on the short log to after the last on the long one. */
#include "bench.h"

#include <stdio.h>

struct log {
  struct kaizen_instance *instance;
  const char *agent;
  unsigned used;
};

static void run(void *ctx, unsigned count) {
  struct log *log = ctx;
  struct kaizen_execution execution = bench_execution(log->agent);
  char key[32];

  for (unsigned i = 0; i < count; i++) {
    snprintf(key, sizeof key, "new-%u", log->used++);
    execution.idempotency_key = (struct kaizen_str){key, KAIZEN_NTS};
    bench_record(log->instance, &execution);
  }
}

int main(void) {
  uint64_t records = bench_full() ? 10000000 : 300000;
  struct log small = {.agent = "small"}, large = {.agent = "large"};
  char root[BENCH_PATH];
  uint64_t before_kib;
  double begin;

  bench_folder(root, "log_size", true);
  small.instance = large.instance = bench_start(root, NULL);
  bench_fill(small.instance, small.agent, "old", 0, 1000);
  run(&small, 1);
  before_kib = bench_status("VmRSS");
  begin = bench_wall_s();
  bench_fill(large.instance, large.agent, "old", 0, records);
  bench_print_one("p3.records", (double)records, "records", NULL);
  bench_print_one("p3.filled", (double)records / (bench_wall_s() - begin), "records/s", NULL);
  /* slices are short: the small log stays small */
  bench_compare("p3.rate_long_over_short", (struct bench_side){run, &large},
                (struct bench_side){run, &small}, 10, 50, false, ">= 0.91 (cost <= 1.1)");
  bench_print_one("p3.memory_growth", (double)(bench_status("VmRSS") - before_kib) / 1024, "MiB",
                  "<= 16");
  bench_stop(large.instance);
  return 0;
}
