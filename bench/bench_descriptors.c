/* bench_descriptors.c - Q5, Q9: many projects, and many agents, under a limit of descriptors.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * With a broker at NATS_URL the projects send what they record; without one they only try to. */
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PROJECTS = 200, AGENTS = 3, PROJECTS_LIMIT = 1024, HOSTS_OWN = 64 };
enum { MANY = 1000, MANY_LIMIT = 4096, SLICES = 2, PATIENCE_MS = 600000 };

static void set_limit(rlim_t soft) {
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    bench_fail("getrlimit");
  limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    bench_fail("setrlimit");
}

static unsigned count_descriptors(void) {
  DIR *folder = opendir("/proc/self/fd");
  unsigned count = 0;

  if (!folder)
    bench_fail("/proc/self/fd");
  while (readdir(folder))
    count++;
  (void)closedir(folder);
  return count - 3; /* ".", ".." and the folder's own */
}

/* How many the host could open just now, up to HOSTS_OWN. */
static unsigned open_hosts_own(void) {
  int fds[HOSTS_OWN];
  unsigned opened = 0;

  while (opened < HOSTS_OWN && (fds[opened] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    opened++;
  for (unsigned i = 0; i < opened; i++)
    (void)close(fds[i]);
  return opened;
}

/* ---- Q5 -------------------------------------------------------------------------------------- */

static void record_for_each(struct kaizen_instance *const *instances, double *most, double *least) {
  for (int i = 0; i < PROJECTS; i++)
    for (int agent = 0; agent < AGENTS; agent++) {
      char name[32];
      struct kaizen_execution execution;
      unsigned held, own;

      (void)snprintf(name, sizeof name, "agent-%d", agent);
      execution = bench_execution(name);
      bench_record(instances[i], &execution);
      held = count_descriptors();
      own = open_hosts_own();
      *most = held > *most ? held : *most;
      *least = own < *least ? own : *least;
    }
}

static void many_projects(void) {
  static const char *const emit[] = {"emit_event", "true", NULL};
  struct kaizen_instance *instances[PROJECTS];
  unsigned bare = count_descriptors();
  double most = 0, least = HOSTS_OWN;
  uint64_t pending = 0, left = 0;
  char root[BENCH_PATH];

  set_limit(PROJECTS_LIMIT);
  for (int i = 0; i < PROJECTS; i++) {
    bench_folder(root, "descriptors", false);
    instances[i] = bench_start(root, emit);
  }
  record_for_each(instances, &most, &least);
  record_for_each(instances, &most, &least);
  bench_print_one("q5.descriptors", most - bare, "fds", "<= 512");
  bench_print_one("q5.hosts_own", least, "fds", "= 64");
  for (int i = 0; getenv("NATS_URL") && i < PROJECTS; i++) {
    int32_t code = bench_plugin()->flush(instances[i], PATIENCE_MS, &pending);

    if (code < 0)
      bench_refused(instances[i], "flush", code);
    left += pending;
  }
  if (getenv("NATS_URL"))
    bench_print_one("q5.unsent", (double)left, "events", "= 0");
  for (int i = 0; i < PROJECTS; i++)
    bench_stop(instances[i]);
}

/* ---- Q9 -------------------------------------------------------------------------------------- */

struct turns {
  struct kaizen_instance *instance;
  unsigned agents, next;
};

static void record_in_turn(void *ctx, unsigned count) {
  struct turns *turns = ctx;
  char name[32];

  while (count-- > 0) {
    struct kaizen_execution execution;

    (void)snprintf(name, sizeof name, "turn-%u", turns->next++ % turns->agents);
    execution = bench_execution(name);
    bench_record(turns->instance, &execution);
  }
}

/* The rate of the many over that of the one: 1 / 1.3 is 0.77. */
static void many_agents(void) {
  struct turns many = {.agents = MANY}, one = {.agents = 1};
  char root[BENCH_PATH];

  set_limit(MANY_LIMIT);
  bench_folder(root, "turns", false);
  many.instance = bench_start(root, NULL);
  bench_folder(root, "turns", false);
  one.instance = bench_start(root, NULL);
  record_in_turn(&many, MANY);
  record_in_turn(&one, 1);
  bench_compare("q9.turns", (struct bench_side){record_in_turn, &many},
                (struct bench_side){record_in_turn, &one}, SLICES, 2 * MANY, false, ">= 0.77");
  bench_print_one("q9.hosts_own", open_hosts_own(), "fds", "= 64");
  bench_stop(many.instance);
  bench_stop(one.instance);
}

int main(void) {
  many_projects();
  many_agents();
  return 0;
}
