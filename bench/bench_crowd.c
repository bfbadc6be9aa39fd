/* bench_crowd.c - Q7: one event pending among very many agents.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Needs a broker at NATS_URL with a stream for the events; BENCH=full: 100,000 agents. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <kaizen/extensions.h>

enum { AGENTS = 5000, AGENTS_FULL = 100000, RINGS = 5 };

static const char *const relay[] = {"emit_event", "true", "delivery", "relay", NULL};
static const char *const emit[] = {"emit_event", "true", NULL};

static void record_for(struct kaizen_instance *instance, unsigned agent) {
  char name[32];
  struct kaizen_execution execution;

  (void)snprintf(name, sizeof name, "agent-%u", agent);
  execution = bench_execution(name);
  bench_record(instance, &execution);
}

static struct timespec stored_at(const char *root, unsigned agent) {
  char path[BENCH_PATH + 64];
  struct stat status;

  (void)snprintf(path, sizeof path, "%s/.kaizen/metrics/agent-%u/.state", root, agent);
  if (stat(path, &status) != 0)
    bench_fail(path);
  return status.st_mtim;
}

/* Until the agent's acknowledgement is stored: counting all agents would take longer than what is
 * measured. */
static double wait_for(const char *root, unsigned agent, struct timespec before, double begin_s) {
  const struct timespec pause = {.tv_nsec = 1000000};
  struct timespec now;

  do {
    (void)nanosleep(&pause, NULL);
    now = stored_at(root, agent);
  } while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
  return bench_wall_s() - begin_s;
}

int main(void) {
  unsigned agents = bench_full() ? AGENTS_FULL : AGENTS;
  struct kaizen_instance *instance;
  double begin_s, cpu_s, rings[RINGS];
  struct timespec before;
  char root[BENCH_PATH];

  if (!getenv("NATS_URL")) {
    printf("q7 skipped: NATS_URL names no broker\n");
    return 0;
  }
  bench_folder(root, "crowd", false);
  instance = bench_start(root, relay);
  for (unsigned i = 0; i < agents; i++)
    record_for(instance, i);
  bench_stop(instance);
  instance = bench_start(root, emit);
  bench_flush(instance);
  bench_stop(instance);

  instance = bench_start(root, relay);
  record_for(instance, agents / 2);
  bench_stop(instance);
  before = stored_at(root, agents / 2);
  cpu_s = bench_cpu_s();
  begin_s = bench_wall_s();
  instance = bench_start(root, emit);
  bench_print_one("q7.cold_start", wait_for(root, agents / 2, before, begin_s), "s", "<= 10");
  bench_print_one("q7.cold_start.cpu", bench_cpu_s() - cpu_s, "s", NULL);
  for (unsigned i = 0; i < RINGS; i++) {
    before = stored_at(root, i * 7);
    begin_s = bench_wall_s();
    record_for(instance, i * 7);
    rings[i] = wait_for(root, i * 7, before, begin_s);
  }
  bench_print("q7.ring", rings, RINGS, "s", "<= 2");
  bench_stop(instance);
  return 0;
}
