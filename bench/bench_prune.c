/* bench_prune.c - Q8: the longest call while expired lines are removed from a long log, of the
 * process that removes them and of another.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Half of the lines have expired, all of them have keys.  That a day has passed since the last look
 * at the clock is written into `.state` with the plugin's own functions: nobody can wait for it. */
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kaizen/extensions.h>

#include "base/clock.h"
#include "store/agent_state.h"
#include "store/project.h"

enum { ROUNDS = 3, LINES = 100000, LINES_FULL = 600000, PATIENCE_S = 120 };
#define NS_PER_S INT64_C(1000000000)
#define DAY_S INT64_C(86400)
#define OLD_DAYS 10

static const char *const all_days[] = {"retention_days", "30", NULL};
static const char *const few_days[] = {"retention_days", "5", NULL};
static char root[BENCH_PATH];

struct share { /* what one process saw */
  double longest_ms, records, busy;
};

static void pause_ms(long ms) {
  (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static bool look_at(const char *file, struct stat *status) {
  char path[BENCH_PATH + 64];

  (void)snprintf(path, sizeof path, "%s/.kaizen/metrics/bench/%s", root, file);
  return stat(path, status) == 0;
}

/* ---- a log that is due ----------------------------------------------------------------------- */

/* Each line begins with {"timestamp":"2026-01-02T03:04:05Z". */
static void make_old(char *lines, size_t len) {
  time_t then = time(NULL) - OLD_DAYS * DAY_S;
  char when[32];
  struct tm utc;
  size_t size = strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then, &utc));

  for (char *line = lines; line < lines + len; line = strchr(line, '\n') + 1)
    memcpy(line + strlen("{\"timestamp\":\""), when, size);
}

static void fill(struct kaizen_instance *instance, uint64_t count) {
  const struct kaizen_batch_1 *batch = bench_extension(KAIZEN_BATCH_1);
  struct kaizen_batch_result result = {.struct_size = sizeof result};
  const uint64_t at_a_time = 10000;

  for (uint64_t done = 0; done < count; done += at_a_time) {
    size_t len;
    char *lines = bench_lines("bench", "line", done, at_a_time, &len);

    if (done < count / 2)
      make_old(lines, len);
    if (batch->record(instance, lines, len, 0, 0, NULL, NULL, &result) != KAIZEN_OK ||
        result.recorded != at_a_time)
      bench_fail("kaizen.batch/1");
    free(lines);
  }
}

/* The last look at the clock that counted was two days ago, and it was not the first. */
static void let_a_day_pass(void) {
  struct project project;
  struct agent_state state;
  struct error error = {0};
  bool damaged;
  int agent_fd;

  if (project_open(&project, root, true, false, &error) != 0 ||
      project_agent_folder(&project, "bench", false, &agent_fd, &error) != 0 ||
      agent_state_load(agent_fd, &state, &damaged, &error) != 0)
    bench_fail(error.text);
  state.retention.read_s = clock_wall_ns() / NS_PER_S - 2 * DAY_S;
  state.retention.boot = 0;
  state.retention.looks = RETENTION_CLOCK_SURE;
  if (agent_state_store(agent_fd, &state, false, &error) != 0)
    bench_fail(error.text);
  (void)close(agent_fd);
  project_close(&project);
}

static void make_log(uint64_t count) {
  struct kaizen_execution execution = bench_execution("bench");
  struct kaizen_instance *instance;
  struct stat status;

  bench_folder(root, "prune", false);
  instance = bench_start(root, all_days);
  fill(instance, count);
  bench_stop(instance);
  instance = bench_start(root, few_days); /* its first look at the clock */
  bench_record(instance, &execution);
  bench_stop(instance);
  if (!look_at(".state", &status))
    bench_fail(".state was not made");
  let_a_day_pass();
}

/* ---- records meanwhile ----------------------------------------------------------------------- */

static void record_once(struct kaizen_instance *instance, unsigned long number,
                        struct share *share) {
  struct kaizen_execution execution = bench_execution("bench");
  double begin = bench_wall_s(), took_ms;
  char key[64];
  int32_t code;

  (void)snprintf(key, sizeof key, "%ld-%lu", (long)getpid(), number);
  execution.idempotency_key = (struct kaizen_str){key, strlen(key)};
  code = bench_plugin()->on_execution_end(instance, &execution, NULL, NULL);
  took_ms = (bench_wall_s() - begin) * 1e3;
  if (code != KAIZEN_RECORDED && code != KAIZEN_E_BUSY)
    bench_refused(instance, "on_execution_end", code);
  share->busy += code == KAIZEN_E_BUSY;
  share->records++;
  if (took_ms > share->longest_ms)
    share->longest_ms = took_ms;
}

/* Until the log was replaced. */
static struct share record_until_pruned(struct kaizen_instance *instance, ino_t before) {
  struct share share = {0};
  struct stat now;
  double until_s = bench_wall_s() + PATIENCE_S;

  do {
    record_once(instance, (unsigned long)share.records, &share);
    pause_ms(1);
    if (bench_wall_s() > until_s)
      bench_fail("nothing was removed");
  } while (!look_at("executions.jsonl", &now) || now.st_ino == before);
  for (int i = 0; i < 100; i++) /* and as it goes on with the new one */
    record_once(instance, (unsigned long)share.records, &share);
  return share;
}

/* In a process of its own, which removes nothing itself; its share comes through the pipe. */
static pid_t record_beside(ino_t before, int *from_child) {
  int ends[2];
  pid_t child;

  if (pipe(ends) != 0)
    bench_fail("pipe");
  child = fork();
  if (child == 0) {
    struct kaizen_instance *instance = bench_start(root, all_days);
    struct share share = {0};

    record_once(instance, ~0ul, &share);
    (void)!write(ends[1], "", 1);
    share = record_until_pruned(instance, before);
    (void)!write(ends[1], &share, sizeof share);
    bench_stop(instance);
    _exit(0);
  }
  (void)close(ends[1]);
  *from_child = ends[0];
  return child;
}

int main(void) {
  double own[ROUNDS], others[ROUNDS], busy = 0, took[ROUNDS];

  for (int round = 0; round < ROUNDS; round++) {
    struct kaizen_instance *instance;
    struct share mine, theirs;
    struct stat before;
    double begin;
    pid_t child;
    char ready;
    int fd;

    make_log(bench_full() ? LINES_FULL : LINES);
    if (!look_at("executions.jsonl", &before))
      bench_fail("executions.jsonl");
    child = record_beside(before.st_ino, &fd);
    if (child < 0 || read(fd, &ready, 1) != 1)
      bench_fail("the other process");
    instance = bench_start(root, few_days);
    begin = bench_wall_s();
    mine = record_until_pruned(instance, before.st_ino);
    took[round] = bench_wall_s() - begin;
    if (read(fd, &theirs, sizeof theirs) != (ssize_t)sizeof theirs)
      bench_fail("the other process");
    (void)waitpid(child, NULL, 0);
    (void)close(fd);
    bench_stop(instance);
    own[round] = mine.longest_ms;
    others[round] = theirs.longest_ms;
    busy += mine.busy + theirs.busy;
  }
  bench_print("q8.longest.own", own, ROUNDS, "ms", "<= 200");
  bench_print("q8.longest.other", others, ROUNDS, "ms", "<= 200");
  bench_print_one("q8.busy", busy, "calls", "= 0");
  bench_print("q8.prune", took, ROUNDS, "s", NULL);
  return 0;
}
