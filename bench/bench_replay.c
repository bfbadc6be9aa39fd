/* bench_replay.c - P7, Q4: kaizen-host replay of many lines, against json-c merely parsing them,
 * and of interleaved agents against the same lines sorted by agent.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The replay is a whole process: start, parse, check, append, fold, index, summary.  json-c only
 * turns each line into objects and frees them. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <json.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { AGENTS = 100 };

extern char **environ;

struct lines {
  char *text;
  size_t len;
  unsigned count;
};

static double parse_all(const struct lines *lines) {
  struct json_tokener *tokener = json_tokener_new();
  double begin = bench_wall_s();

  for (size_t at = 0; at < lines->len;) {
    const char *newline = memchr(lines->text + at, '\n', lines->len - at);
    size_t len = (size_t)(newline - lines->text) - at;
    struct json_object *record;

    json_tokener_reset(tokener);
    record = json_tokener_parse_ex(tokener, lines->text + at, (int)len);
    if (!record)
      bench_fail("json_tokener_parse_ex");
    json_object_put(record);
    at += len + 1;
  }
  json_tokener_free(tokener);
  return lines->count / (bench_wall_s() - begin);
}

static double children_cpu_s(void) {
  struct rusage usage;

  getrusage(RUSAGE_CHILDREN, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double replay_all(const struct lines *lines, const char *file, const char *option) {
  const char *host = getenv("KAIZEN_HOST");
  char root[BENCH_PATH];
  const char *arguments[] = {
      host, "--plugin", getenv("KAIZEN_PLUGIN"), "-C", root, "-q", "replay", file, option, NULL};
  posix_spawn_file_actions_t quiet;
  double begin;
  pid_t child;
  int status;

  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  bench_folder(root, "replay", false);
  begin = bench_wall_s();
  errno = posix_spawn(&child, host ? host : "kaizen-host", &quiet, NULL, (char *const *)arguments,
                      environ);
  if (errno != 0 || waitpid(child, &status, 0) != child || status != 0)
    bench_fail("kaizen-host replay");
  posix_spawn_file_actions_destroy(&quiet);
  return lines->count / (bench_wall_s() - begin);
}

static void compare(const char *name, const char *prefix, const char *option, const char *goal) {
  struct lines lines = {.count = bench_full() ? 1000000 : 50000};
  double ours[BENCH_PAIRS], theirs[BENCH_PAIRS], ratio[BENCH_PAIRS], cpu[BENCH_PAIRS];
  char file[BENCH_PATH], path[BENCH_PATH + 16], label[96];
  FILE *out;

  lines.text = bench_lines("bench", prefix, 0, lines.count, &lines.len);
  bench_folder(file, "lines", false);
  snprintf(path, sizeof path, "%s/lines.jsonl", file);
  out = fopen(path, "w");
  if (!out || fwrite(lines.text, 1, lines.len, out) != lines.len || fclose(out) != 0)
    bench_fail(path);
  for (int pair = 0; pair < BENCH_PAIRS; pair++) {
    double cpu_s = bench_cpu_s(), before = parse_all(&lines);

    cpu[pair] = bench_cpu_s() - cpu_s;
    cpu_s = children_cpu_s();
    ours[pair] = replay_all(&lines, path, option);
    cpu[pair] /= children_cpu_s() - cpu_s;
    theirs[pair] = (before + parse_all(&lines)) / 2;
    ratio[pair] = ours[pair] / theirs[pair];
  }
  snprintf(label, sizeof label, "%s.ours", name);
  bench_print(label, ours, BENCH_PAIRS, "lines/s", NULL);
  snprintf(label, sizeof label, "%s.reference", name);
  bench_print(label, theirs, BENCH_PAIRS, "lines/s", NULL);
  snprintf(label, sizeof label, "%s.ratio", name);
  bench_print(label, ratio, BENCH_PAIRS, "ratio", goal);
  snprintf(label, sizeof label, "%s.cpu_ratio", name);
  bench_print(label, cpu, BENCH_PAIRS, "ratio", NULL);
  free(lines.text);
}

/* `count` lines of AGENTS agents without keys, interleaved or one agent after the other. */
static void write_lines(const char *path, unsigned count, bool interleaved) {
  FILE *out = fopen(path, "w");

  for (unsigned i = 0; out && i < count; i++) {
    unsigned agent = interleaved ? i % AGENTS : i / (count / AGENTS);
    char name[32], *line;
    size_t len;

    snprintf(name, sizeof name, "agent-%u", agent);
    line = bench_lines(name, NULL, i, 1, &len);
    if (fwrite(line, 1, len, out) != len)
      bench_fail(path);
    free(line);
  }
  if (!out || fclose(out) != 0)
    bench_fail(path);
}

static void compare_orders(void) {
  struct lines lines = {.count = bench_full() ? 1000000 : 100000};
  double mixed[BENCH_PAIRS], sorted[BENCH_PAIRS], ratio[BENCH_PAIRS], cpu[BENCH_PAIRS];
  char folder[BENCH_PATH], mixed_file[BENCH_PATH + 16], sorted_file[BENCH_PATH + 16];

  bench_folder(folder, "lines", false);
  snprintf(mixed_file, sizeof mixed_file, "%s/mixed.jsonl", folder);
  snprintf(sorted_file, sizeof sorted_file, "%s/sorted.jsonl", folder);
  write_lines(mixed_file, lines.count, true);
  write_lines(sorted_file, lines.count, false);
  for (int pair = 0; pair < BENCH_PAIRS; pair++) {
    double begin_s = children_cpu_s(), middle_s;

    mixed[pair] = replay_all(&lines, mixed_file, NULL);
    middle_s = children_cpu_s();
    sorted[pair] = replay_all(&lines, sorted_file, NULL);
    ratio[pair] = sorted[pair] / mixed[pair];
    cpu[pair] = (middle_s - begin_s) / (children_cpu_s() - middle_s);
  }
  bench_print("q4.interleaved", mixed, BENCH_PAIRS, "lines/s", NULL);
  bench_print("q4.sorted", sorted, BENCH_PAIRS, "lines/s", NULL);
  bench_print("q4.time_ratio", ratio, BENCH_PAIRS, "ratio", "<= 1.5");
  bench_print("q4.cpu_ratio", cpu, BENCH_PAIRS, "ratio", NULL);
}

int main(void) {
  compare("p7.plain", NULL, NULL, ">= 0.5");
  compare("p7.keyed", "import", NULL, ">= 0.7");
  compare("p7.derived_keys", NULL, "--derive-keys", NULL);
  compare_orders();
  return 0;
}
