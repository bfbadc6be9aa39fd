/* bench.c - what the benchmarks share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <kaizen/extensions.h>

_Noreturn void bench_fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

_Noreturn void bench_refused(struct kaizen_instance *instance, const char *what, int32_t code) {
  char why[512] = "";

  bench_plugin()->last_error(instance, why, sizeof why);
  fprintf(stderr, "%s: %s: %s\n", what, bench_plugin()->code_name(code), why);
  exit(1);
}

bool bench_full(void) {
  const char *size = getenv("BENCH");

  return size && strcmp(size, "full") == 0;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

const struct kaizen_plugin_v1 *bench_plugin(void) {
  static const struct kaizen_plugin_v1 *plugin;
  const char *path = getenv("KAIZEN_PLUGIN");
  kaizen_plugin_v1_fn entry = NULL;
  void *image;

  if (plugin)
    return plugin;
  image = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  if (image)
    *(void **)&entry = dlsym(image, KAIZEN_PLUGIN_V1_SYMBOL);
  if (!entry) {
    fprintf(stderr, "set KAIZEN_PLUGIN to the path of kaizen_metrics.so\n");
    exit(2);
  }
  plugin = entry();
  return plugin;
}

const void *bench_extension(const char *id) {
  const void *table = bench_plugin()->get_extension(id);

  if (!table)
    bench_fail(id);
  return table;
}

void bench_folder(char path[BENCH_PATH], const char *name, bool in_memory) {
  const char *below = getenv(in_memory ? "BENCH_MEMORY_DIR" : "BENCH_DIR");

  snprintf(path, BENCH_PATH, "%s/%s-XXXXXX", below ? below : ".", name);
  if (!mkdtemp(path))
    bench_fail(path);
  if (!below) { /* the plugin wants an absolute path */
    char *absolute = realpath(path, NULL);

    if (!absolute)
      bench_fail(path);
    snprintf(path, BENCH_PATH, "%s", absolute);
    free(absolute);
  }
}

struct kaizen_instance *bench_start(const char *root, const char *const *keys) {
  const struct kaizen_plugin_v1 *plugin = bench_plugin();
  struct kaizen_host_v1 host = {
      .struct_size = sizeof host, .abi_version = KAIZEN_ABI_VERSION, .name = "bench"};
  struct kaizen_instance *instance = NULL;
  int32_t code = plugin->create(&host, &instance);

  if (code == KAIZEN_OK)
    code = plugin->configure_key(instance, "project_root", root, KAIZEN_NTS);
  if (code == KAIZEN_OK) /* a machine that others keep busy is slow, not wrong */
    code = plugin->configure_key(instance, "lock_timeout_ms", "60000", KAIZEN_NTS);
  for (; code == KAIZEN_OK && keys && keys[0]; keys += 2)
    code = plugin->configure_key(instance, keys[0], keys[1], KAIZEN_NTS);
  if (code == KAIZEN_OK)
    code = plugin->start(instance);
  if (code != KAIZEN_OK)
    bench_refused(instance, root, code);
  return instance;
}

void bench_stop(struct kaizen_instance *instance) {
  (void)bench_plugin()->stop(instance, 0);
  bench_plugin()->destroy(instance);
}

struct kaizen_execution bench_execution(const char *agent) {
  return (struct kaizen_execution){.struct_size = sizeof(struct kaizen_execution),
                                   .flags = KAIZEN_EXEC_HAS_TIME | KAIZEN_EXEC_HAS_QUALITY,
                                   .outcome = KAIZEN_SUCCESS,
                                   .execution_time_s = 1.5,
                                   .quality_score = 0.9,
                                   .agent = {agent, KAIZEN_NTS}};
}

void bench_tell_drained(struct kaizen_instance *instance) {
  uint64_t pending = 0;

  (void)bench_plugin()->flush(instance, 0, &pending);
  if (pending == 0)
    printf("# the backlog was gone before the last sample was taken\n");
}

void bench_record(struct kaizen_instance *instance, const struct kaizen_execution *execution) {
  struct kaizen_receipt receipt = {.struct_size = sizeof receipt};
  int32_t code = bench_plugin()->on_execution_end(instance, execution, &receipt, NULL);

  if (code == KAIZEN_RECORDED)
    return;
  fprintf(stderr, "on_execution_end: %s: %s\n", bench_plugin()->code_name(code), receipt.reason);
  exit(1);
}

void bench_flush(struct kaizen_instance *instance) {
  enum { PATIENCE_MS = 600000 };
  int32_t code = bench_plugin()->flush(instance, PATIENCE_MS, NULL);

  if (code != KAIZEN_OK)
    bench_refused(instance, "flush", code);
}

char *bench_lines(const char *agent, const char *prefix, uint64_t first, uint64_t count,
                  size_t *len) {
  time_t now = time(NULL);
  char when[32], *text = malloc(count * 256 + 1);
  struct tm utc;
  size_t at = 0;

  if (!text)
    bench_fail("malloc");
  strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
  for (uint64_t i = first; i < first + count; i++) {
    at += (size_t)sprintf(text + at,
                          "{\"timestamp\":\"%s\",\"agent\":\"%s\",\"session_id\":\"s-%08llu\","
                          "\"execution_time_s\":12.5,\"success\":%s,\"quality_score\":0.875",
                          when, agent, (unsigned long long)i, i % 5 ? "true" : "false");
    if (prefix)
      at += (size_t)sprintf(text + at, ",\"idempotency_key\":\"%s-%llu\"", prefix,
                            (unsigned long long)i);
    at += (size_t)sprintf(text + at, "}\n");
  }
  *len = at;
  return text;
}

void bench_fill(struct kaizen_instance *instance, const char *agent, const char *prefix,
                uint64_t first, uint64_t count) {
  const struct kaizen_batch_1 *batch = bench_extension(KAIZEN_BATCH_1);
  const uint64_t at_a_time = 8192;
  struct kaizen_batch_result result = {.struct_size = sizeof result};

  for (uint64_t done = 0; done < count; done += at_a_time) {
    uint64_t now = count - done < at_a_time ? count - done : at_a_time;
    size_t len;
    char *lines = bench_lines(agent, prefix, first + done, now, &len);

    int32_t code = batch->record(instance, lines, len, 0, 0, NULL, NULL, &result);

    if (code != KAIZEN_OK || result.recorded != now)
      bench_refused(instance, "kaizen.batch/1", code);
    free(lines);
  }
}

/* ---- measuring ------------------------------------------------------------------------------- */

static double clock_s(clockid_t id) {
  struct timespec now;

  clock_gettime(id, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double bench_wall_s(void) {
  return clock_s(CLOCK_MONOTONIC);
}

double bench_cpu_s(void) {
  return clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t bench_status(const char *name) {
  char line[256];
  unsigned long long value = 0;
  size_t len = strlen(name);
  FILE *file = fopen("/proc/self/status", "r");

  if (!file)
    bench_fail("/proc/self/status");
  while (fgets(line, sizeof line, file))
    if (strncmp(line, name, len) == 0 && line[len] == ':')
      value = strtoull(line + len + 1, NULL, 10);
  fclose(file);
  return value;
}

static int by_value(const void *a, const void *b) {
  double first = *(const double *)a, second = *(const double *)b;

  return (first > second) - (first < second);
}

void bench_sort(double *values, size_t count) {
  qsort(values, count, sizeof values[0], by_value);
}

double bench_percentile(const double *sorted, size_t count, double share) {
  size_t at = (size_t)((double)count * share);

  return count == 0 ? 0 : sorted[at < count ? at : count - 1];
}

void bench_print(const char *name, double *values, size_t count, const char *unit,
                 const char *goal) {
  bench_sort(values, count);
  printf("%-34s %14.3f %-10s min %.3f max %.3f%s%s\n", name, values[count / 2], unit, values[0],
         values[count - 1], goal ? " goal " : "", goal ? goal : "");
  fflush(stdout);
}

void bench_print_one(const char *name, double value, const char *unit, const char *goal) {
  printf("%-34s %14.3f %-10s%s%s\n", name, value, unit, goal ? " goal " : "", goal ? goal : "");
  fflush(stdout);
}

struct taken {
  double wall, cpu;
};

static struct taken measure(struct bench_side side, unsigned count) {
  double wall = bench_wall_s(), cpu = bench_cpu_s();

  side.run(side.ctx, count);
  return (struct taken){bench_wall_s() - wall, bench_cpu_s() - cpu};
}

static void print_part(const char *name, const char *part, double *values, const char *unit,
                       const char *goal) {
  char label[96];

  snprintf(label, sizeof label, "%s.%s", name, part);
  bench_print(label, values, BENCH_PAIRS, unit, goal);
}

void bench_compare(const char *name, struct bench_side ours, struct bench_side reference,
                   unsigned slices, unsigned count, bool wall_only, const char *goal) {
  double our_rate[BENCH_PAIRS], their_rate[BENCH_PAIRS], ratio[BENCH_PAIRS], cpu[BENCH_PAIRS];

  measure(ours, count / 10 + 1); /* warm */
  measure(reference, count / 10 + 1);
  for (int pair = 0; pair < BENCH_PAIRS; pair++) {
    struct taken us = {0}, them = {0};

    for (unsigned slice = 0; slice < slices; slice++) {
      struct taken a = measure(ours, count), b = measure(reference, count);

      us.wall += a.wall, us.cpu += a.cpu;
      them.wall += b.wall, them.cpu += b.cpu;
    }
    our_rate[pair] = (double)slices * count / us.wall;
    their_rate[pair] = (double)slices * count / them.wall;
    ratio[pair] = them.wall / us.wall;
    cpu[pair] = them.cpu / us.cpu;
  }
  print_part(name, "ours", our_rate, "/s", NULL);
  print_part(name, "reference", their_rate, "/s", NULL);
  print_part(name, "ratio", ratio, "ratio", goal);
  if (!wall_only)
    print_part(name, "cpu_ratio", cpu, "ratio", NULL);
}
