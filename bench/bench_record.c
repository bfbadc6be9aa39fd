/* bench_record.c - records a second through the plugin, against the bare system calls it cannot avoid.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: bench_record PLUGIN.so [DIRECTORY]
 *
 * Plugin and bare loop alternate, so that both see the same machine; each line says the median of
 * the pairs and the range.  The bare loop appends a line of the same length and either replaces a
 * summary (never) or syncs the line (always): what no recorder that keeps the promise can leave out. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <kaizen/plugin.h>

enum { PAIRS = 7, LINE_BYTES = 121, SUMMARY_BYTES = 240 };

struct bench {
  const struct kaizen_plugin_v1 *plugin;
  struct kaizen_instance *instance;
  const char *directory;
  int log_fd;
  char line[LINE_BYTES], summary[SUMMARY_BYTES];
};

static void die(const char *what) {
  fprintf(stderr, "bench_record: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void replace_summary(struct bench *bench) {
  char fresh[4096], place[4096];
  snprintf(fresh, sizeof fresh, "%s/summary.new", bench->directory);
  snprintf(place, sizeof place, "%s/summary.json", bench->directory);
  int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, bench->summary, SUMMARY_BYTES) != SUMMARY_BYTES || close(fd) != 0)
    die(fresh);
  if (renameat2(AT_FDCWD, fresh, AT_FDCWD, place, RENAME_EXCHANGE) == 0) {
    if (unlink(fresh) != 0)
      die(fresh);
  } else if (rename(fresh, place) != 0) { /* the first time, or no exchange on this file system */
    die(place);
  }
}

static double bare_rate(struct bench *bench, bool sync, int records) {
  double begin = seconds();
  for (int i = 0; i < records; i++) {
    if (write(bench->log_fd, bench->line, LINE_BYTES) != LINE_BYTES)
      die("write");
    if (sync && fdatasync(bench->log_fd) != 0)
      die("fdatasync");
    if (!sync)
      replace_summary(bench);
  }
  return records / (seconds() - begin);
}

static double plugin_rate(struct bench *bench, int records) {
  struct kaizen_execution execution = {
      .struct_size = sizeof execution,
      .flags = KAIZEN_EXEC_HAS_TIME | KAIZEN_EXEC_HAS_QUALITY,
      .outcome = KAIZEN_SUCCESS,
      .execution_time_s = 1.5,
      .quality_score = 0.9,
      .agent = {"bench", KAIZEN_NTS},
  };
  double begin = seconds();
  for (int i = 0; i < records; i++)
    if (bench->plugin->on_execution_end(bench->instance, &execution, NULL, NULL) != KAIZEN_RECORDED)
      die("on_execution_end");
  return records / (seconds() - begin);
}

static void open_instance(struct bench *bench, bool sync) {
  char config[4200];
  struct kaizen_host_v1 host = {
      .struct_size = sizeof host, .abi_version = KAIZEN_ABI_VERSION, .name = "bench", .version = "1"};
  int len = snprintf(config, sizeof config, "{\"project_root\":\"%s\",\"fsync\":\"%s\"}",
                     bench->directory, sync ? "always" : "never");
  if (bench->plugin->create(&host, &bench->instance) != KAIZEN_OK)
    die("create");
  if (bench->plugin->configure(bench->instance, config, (size_t)len) != KAIZEN_OK ||
      bench->plugin->start(bench->instance) != KAIZEN_OK) {
    bench->plugin->last_error(bench->instance, config, sizeof config);
    fprintf(stderr, "bench_record: %s\n", config);
    exit(1);
  }
}

static int by_value(const void *a, const void *b) {
  double first = *(const double *)a, second = *(const double *)b;
  return (first > second) - (first < second);
}

static void print_line(const char *name, double values[PAIRS], const char *unit) {
  qsort(values, PAIRS, sizeof values[0], by_value);
  printf("%-28s %12.3f %-10s (%.3f - %.3f)\n", name, values[PAIRS / 2], unit, values[0],
         values[PAIRS - 1]);
}

static void compare(struct bench *bench, const char *name, bool sync, int records) {
  double plugin[PAIRS], bare[PAIRS], ratio[PAIRS];
  char label[64];
  open_instance(bench, sync);
  plugin_rate(bench, records / 10);
  for (int i = 0; i < PAIRS; i++) {
    bare[i] = bare_rate(bench, sync, records);
    plugin[i] = plugin_rate(bench, records);
    ratio[i] = plugin[i] / bare[i];
  }
  bench->plugin->destroy(bench->instance);
  snprintf(label, sizeof label, "record_%s", name);
  print_line(label, plugin, "records/s");
  snprintf(label, sizeof label, "record_%s_bare", name);
  print_line(label, bare, "records/s");
  snprintf(label, sizeof label, "record_%s_against_bare", name);
  print_line(label, ratio, "ratio");
}

int main(int argc, char **argv) {
  struct bench bench = {.directory = argc > 2 ? argv[2] : "."};
  void *image = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  kaizen_plugin_v1_fn entry = NULL;
  char path[4096];
  if (image)
    *(void **)&entry = dlsym(image, KAIZEN_PLUGIN_V1_SYMBOL);
  if (!entry) {
    fprintf(stderr, "usage: bench_record PLUGIN.so [DIRECTORY]\n");
    return 2;
  }
  bench.plugin = entry();
  memset(bench.line, 'x', sizeof bench.line);
  bench.line[LINE_BYTES - 1] = '\n';
  memset(bench.summary, 'x', sizeof bench.summary);
  bench.directory = realpath(bench.directory, NULL);
  snprintf(path, sizeof path, "%s/bare.jsonl", bench.directory ? bench.directory : "");
  bench.log_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (bench.log_fd < 0)
    die(path);

  compare(&bench, "never", false, 20000);
  compare(&bench, "always", true, 2000);
  close(bench.log_fd);
  free((void *)bench.directory);
  return 0;
}
