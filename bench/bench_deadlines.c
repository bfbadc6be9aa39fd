/* bench_deadlines.c - Q7: by how much a call is late when others keep the locks of k agents, and
 * when there are very many.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Needs no broker: nothing is acknowledged.  A process of its own has the locks. */
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kaizen/extensions.h>

enum { TIMEOUT_MS = 200, ROUNDS = 5, MANY = 2000, MANY_FULL = 20000 };

static const char *const emit[] = {"emit_event", "true", "nats_url", "nats://127.0.0.1:1", NULL};
static const char *const relay[] = {"emit_event", "true", "delivery", "relay", NULL};
static char root[BENCH_PATH];

/* An agent with one pending event each. */
static void make_agents(const char *folder, unsigned count) {
  struct kaizen_instance *instance;

  bench_folder(root, folder, true);
  instance = bench_start(root, relay);
  for (unsigned i = 0; i < count; i++) {
    char name[32];
    struct kaizen_execution execution;

    (void)snprintf(name, sizeof name, "agent-%u", i);
    execution = bench_execution(name);
    bench_record(instance, &execution);
  }
  bench_stop(instance);
}

/* A process that has the locks of the first `count` agents. */
static pid_t keep_locks(unsigned count) {
  int told[2];
  char byte;
  pid_t child;

  if (pipe(told) != 0)
    bench_fail("pipe");
  child = fork();
  if (child == 0) {
    for (unsigned i = 0; i < count; i++) {
      char path[BENCH_PATH + 64];
      int fd;

      (void)snprintf(path, sizeof path, "%s/.kaizen/metrics/agent-%u/.lock", root, i);
      fd = open(path, O_RDWR | O_CLOEXEC);
      if (fd < 0 || flock(fd, LOCK_EX) != 0)
        bench_fail(path);
    }
    (void)!write(told[1], "", 1);
    for (;;)
      (void)pause();
  }
  (void)close(told[1]);
  if (child < 0 || read(told[0], &byte, 1) != 1)
    bench_fail("the process that keeps the locks");
  (void)close(told[0]);
  return child;
}

static void end_process(pid_t child) {
  (void)kill(child, SIGKILL);
  (void)waitpid(child, NULL, 0);
}

/* ---- the calls ------------------------------------------------------------------------------- */

static int32_t ignore(void *ctx, const char *data, size_t len) {
  (void)ctx;
  (void)data;
  (void)len;
  return 0;
}

static double late_ms(double begin_s, double allowed_ms) {
  return (bench_wall_s() - begin_s) * 1e3 - allowed_ms;
}

static double flush_late(struct kaizen_instance *instance) {
  double begin_s = bench_wall_s();

  (void)bench_plugin()->flush(instance, TIMEOUT_MS, NULL);
  return late_ms(begin_s, TIMEOUT_MS);
}

static double stop_late(struct kaizen_instance *instance) {
  double begin_s = bench_wall_s();

  (void)bench_plugin()->stop(instance, TIMEOUT_MS);
  return late_ms(begin_s, TIMEOUT_MS);
}

static double stats_ms(struct kaizen_instance *instance) {
  struct kaizen_stats stats = {.struct_size = sizeof stats};
  double begin_s = bench_wall_s();

  (void)bench_plugin()->stats(instance, &stats);
  return late_ms(begin_s, 0);
}

static double report_ms(struct kaizen_instance *instance) {
  const struct kaizen_inspect_1 *inspect = bench_extension(KAIZEN_INSPECT_1);
  double begin_s = bench_wall_s();

  (void)inspect->delivery(instance, ignore, NULL);
  return late_ms(begin_s, 0);
}

/* The host's command, from its start to its end. */
static double command_ms(const char *command) {
  char line[3 * BENCH_PATH];
  double begin_s = bench_wall_s();
  int status;

  (void)snprintf(line, sizeof line,
                 "exec \"%s\" --plugin \"%s\" -C \"%s\" --set nats_url=nats://127.0.0.1:1 %s "
                 ">/dev/null 2>&1",
                 getenv("KAIZEN_HOST"), getenv("KAIZEN_PLUGIN"), root, command);
  status = system(line);
  if (status < 0 || !WIFEXITED(status) || WEXITSTATUS(status) > 6)
    bench_fail(command);
  return late_ms(begin_s, 0);
}

static void print(const char *what, unsigned k, double values[ROUNDS], const char *goal) {
  char name[64];

  (void)snprintf(name, sizeof name, "q7.%s.%u", what, k);
  bench_print(name, values, ROUNDS, "ms", goal);
}

static void measure(unsigned k, bool commands) {
  double flush[ROUNDS], stats[ROUNDS], report[ROUNDS], stop[ROUNDS], drain[ROUNDS], status[ROUNDS];

  for (unsigned i = 0; i < ROUNDS; i++) {
    struct kaizen_instance *instance = bench_start(root, emit);

    stats[i] = stats_ms(instance);
    flush[i] = flush_late(instance);
    report[i] = report_ms(instance);
    stop[i] = stop_late(instance);
    bench_stop(instance);
    if (commands) {
      drain[i] = command_ms("drain --timeout 1") - command_ms("--version") - 1000;
      status[i] = command_ms("status --no-broker");
    }
  }
  print("stats", k, stats, "<= 300");
  print("flush.late", k, flush, "<= 100");
  print("stop.late", k, stop, "<= 100");
  print("report", k, report, NULL);
  if (commands) {
    print("drain.late", k, drain, "<= 100");
    print("status", k, status, "<= 1000");
  }
}

int main(void) {
  static const unsigned kept[] = {0, 20, 300};
  struct rlimit limit;
  unsigned many = bench_full() ? MANY_FULL : MANY;

  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
  make_agents("kept", 300);
  for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
    pid_t child = keep_locks(kept[i]);

    measure(kept[i], true);
    end_process(child);
  }
  make_agents("many", many);
  measure(many, true);
  return 0;
}
