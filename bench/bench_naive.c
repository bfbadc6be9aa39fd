/* bench_naive.c - P6: against a plain-Python reference that reads its log again on each append.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

enum { RECORDS = 10000, APPENDS = 20, OURS = 500 };

static double python_rate(void) {
  const char *python = getenv("PYTHON"), *source = getenv("BENCH_SOURCE");
  char folder[BENCH_PATH], command[3 * BENCH_PATH];
  double seconds;
  FILE *output;

  bench_folder(folder, "naive", false);
  snprintf(command, sizeof command, "'%s' '%s/naive_log.py' '%s' %d %d",
           python ? python : "python3", source ? source : "bench", folder, RECORDS, APPENDS);
  output = popen(command, "r");
  if (!output || fscanf(output, "%lf", &seconds) != 1 || pclose(output) != 0)
    bench_fail(command);
  return APPENDS / seconds;
}

int main(void) {
  double ours[BENCH_PAIRS], theirs[BENCH_PAIRS], ratio[BENCH_PAIRS];
  struct kaizen_execution execution = bench_execution("bench");
  struct kaizen_instance *instance;
  char root[BENCH_PATH], key[32];

  bench_folder(root, "naive", false);
  instance = bench_start(root, NULL);
  bench_fill(instance, "bench", "old", 0, RECORDS);
  for (int pair = 0; pair < BENCH_PAIRS; pair++) {
    double begin;

    theirs[pair] = python_rate();
    begin = bench_wall_s();
    for (int i = 0; i < OURS; i++) {
      snprintf(key, sizeof key, "n-%d-%d", pair, i);
      execution.idempotency_key = (struct kaizen_str){key, KAIZEN_NTS};
      bench_record(instance, &execution);
    }
    ours[pair] = OURS / (bench_wall_s() - begin);
    ratio[pair] = ours[pair] / theirs[pair];
  }
  bench_stop(instance);
  bench_print("p6.naive.ours", ours, BENCH_PAIRS, "/s", NULL);
  bench_print("p6.naive.reference", theirs, BENCH_PAIRS, "/s", NULL);
  bench_print("p6.naive.ratio", ratio, BENCH_PAIRS, "ratio", ">= 1000");
  return 0;
}
