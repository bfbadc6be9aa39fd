/* bench_process.c - P4: a whole `kaizen-host record` process, on a long log over an empty one and
 * against `sqlite3 db "insert ..."`; and a thousand of them at once.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { CROWD = 1000, ARGUMENTS_MAX = 16 };

extern char **environ;

struct command {
  const char *arguments[ARGUMENTS_MAX];
};

static pid_t spawn(const struct command *command) {
  posix_spawn_file_actions_t quiet;
  pid_t child;

  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  errno = posix_spawnp(&child, command->arguments[0], &quiet, NULL,
                       (char *const *)command->arguments, environ);
  posix_spawn_file_actions_destroy(&quiet);
  if (errno != 0)
    bench_fail(command->arguments[0]);
  return child;
}

static void run(void *ctx, unsigned count) {
  const struct command *command = ctx;
  int status;

  for (unsigned i = 0; i < count; i++)
    if (waitpid(spawn(command), &status, 0) < 0 || status != 0)
      bench_fail(command->arguments[0]);
}

static struct command recording(const char *root) {
  const char *host = getenv("KAIZEN_HOST");

  return (struct command){{host ? host : "kaizen-host", "--plugin", getenv("KAIZEN_PLUGIN"), "-C",
                           root, "record", "bench", "--success", "--time", "1.5", "--quality",
                           "0.9", NULL}};
}

static void make_log(char root[BENCH_PATH], uint64_t records) {
  struct kaizen_instance *instance;

  bench_folder(root, "process", false);
  instance = bench_start(root, NULL);
  bench_fill(instance, "bench", "old", 0, records);
  bench_stop(instance);
}

static uint64_t count_lines(const char *root) {
  char path[BENCH_PATH + 64], buffer[1 << 16];
  uint64_t lines = 0;
  size_t got;
  FILE *file;

  snprintf(path, sizeof path, "%s/.kaizen/metrics/bench/executions.jsonl", root);
  file = fopen(path, "r");
  while (file && (got = fread(buffer, 1, sizeof buffer, file)) > 0)
    for (size_t i = 0; i < got; i++)
      lines += buffer[i] == '\n';
  if (file)
    fclose(file);
  return lines;
}

/* All started before any is waited for; each has the lock_timeout_ms of the default. */
static void crowd(void) {
  static pid_t children[CROWD];
  unsigned recorded = 0, refused = 0;
  char root[BENCH_PATH];
  struct command command;
  double begin;

  make_log(root, 0);
  command = recording(root);
  begin = bench_wall_s();
  for (int i = 0; i < CROWD; i++)
    children[i] = spawn(&command);
  for (int i = 0; i < CROWD; i++) {
    int status;

    if (waitpid(children[i], &status, 0) < 0)
      bench_fail("waitpid");
    recorded += status == 0;
    refused += status != 0;
  }
  bench_print_one("p4.crowd", CROWD / (bench_wall_s() - begin), "processes/s", NULL);
  bench_print_one("p4.crowd_recorded", recorded, "processes", NULL);
  bench_print_one("p4.crowd_refused", refused, "processes", NULL);
  bench_print_one("p4.crowd_lines", (double)count_lines(root), "lines", "= recorded");
}

int main(void) {
  char empty[BENCH_PATH], full[BENCH_PATH], database[BENCH_PATH + 16];
  struct command on_empty, on_full;
  struct command sqlite = {
      {"sqlite3", database,
       "insert into executions values('2026-01-02T03:04:05Z', 'bench', 1.5, 1, 0.9)", NULL}};
  struct command create = {{"sqlite3", database,
                            "create table executions(timestamp, agent, time, success, quality)",
                            NULL}};
  unsigned slices = bench_full() ? 40 : 8;

  make_log(empty, 0);
  make_log(full, bench_full() ? 1000000 : 200000);
  on_empty = recording(empty);
  on_full = recording(full);
  bench_compare("p4.rate_long_over_empty", (struct bench_side){run, &on_full},
                (struct bench_side){run, &on_empty}, slices, 3, true, ">= 0.83 (time <= 1.2)");
  if (system("command -v sqlite3 >/dev/null") == 0) {
    snprintf(database, sizeof database, "%s/bench.db", empty);
    run(&create, 1);
    bench_compare("p4.rate_over_sqlite3", (struct bench_side){run, &on_full},
                  (struct bench_side){run, &sqlite}, slices, 3, true, ">= 1.0 (time <= 1.0)");
  } else {
    printf("p4.rate_over_sqlite3 skipped: no sqlite3\n");
  }
  crowd();
  return 0;
}
