/* bench_latency.c - how long on_execution_end takes: threads x fsync x what the broker does.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lines `latency.BROKER.FSYNC.THREADS.p50 value us`, and p99, p999, max.  All threads record for
 * one agent without a pause: what a call waits for the others is in its figure.  The broker is the
 * one at NATS_URL; it is frozen by its process id, BENCH_BROKER_PID. */
#include "bench.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 64, SAMPLES_MAX = 1 << 20 };

static double samples[SAMPLES_MAX];
static atomic_size_t taken;
static atomic_bool ended;

static void *record_on(void *instance) {
  struct kaizen_execution execution = bench_execution("bench");

  while (!atomic_load_explicit(&ended, memory_order_relaxed)) {
    double begin = bench_wall_s();
    size_t place;

    bench_record(instance, &execution);
    place = atomic_fetch_add(&taken, 1);
    if (place >= SAMPLES_MAX)
      break;
    samples[place] = (bench_wall_s() - begin) * 1e6;
  }
  return NULL;
}

static void print(const char *state, const char *fsync, unsigned threads) {
  static const struct {
    const char *name;
    double share;
  } columns[] = {{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1}};
  size_t count = atomic_load(&taken) < SAMPLES_MAX ? atomic_load(&taken) : SAMPLES_MAX;
  char label[80];

  bench_sort(samples, count);
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
    snprintf(label, sizeof label, "latency.%s.%s.%u.%s", state, fsync, threads, columns[i].name);
    bench_print_one(label, bench_percentile(samples, count, columns[i].share), "us", NULL);
  }
}

static void measure(struct kaizen_instance *instance, unsigned threads) {
  pthread_t thread[THREADS_MAX];
  double length = bench_full() ? 3 : 0.3;

  atomic_store(&taken, 0);
  atomic_store(&ended, false);
  for (unsigned i = 0; i < threads; i++)
    if (pthread_create(&thread[i], NULL, record_on, instance) != 0)
      bench_fail("pthread_create");
  nanosleep(&(struct timespec){.tv_sec = (time_t)length,
                               .tv_nsec = (long)((length - (double)(time_t)length) * 1e9)},
            NULL);
  atomic_store(&ended, true);
  for (unsigned i = 0; i < threads; i++)
    pthread_join(thread[i], NULL);
}

static void run(const char *state, const char *fsync, unsigned threads) {
  bool emits = strcmp(state, "off") != 0, down = strcmp(state, "down") == 0;
  bool frozen = strcmp(state, "frozen") == 0;
  const char *keys[] = {"fsync",
                        fsync,
                        "emit_event",
                        emits ? "true" : "false",
                        down ? "nats_url" : NULL,
                        "nats://127.0.0.1:1",
                        NULL};
  const char *const relay[] = {"emit_event", "true", "delivery", "relay", NULL};
  pid_t broker = getenv("BENCH_BROKER_PID") ? atoi(getenv("BENCH_BROKER_PID")) : 0;
  struct kaizen_execution first = bench_execution("first");
  struct kaizen_instance *instance;
  char root[BENCH_PATH];

  bench_folder(root, "latency", false);
  if (strcmp(state, "draining") == 0) {
    instance = bench_start(root, relay);
    bench_fill(instance, "backlog", NULL, 0, bench_full() ? 400000 : 40000);
    bench_stop(instance);
  }
  instance = bench_start(root, keys);
  if (frozen) { /* connected, then no answer any more */
    bench_record(instance, &first);
    (void)bench_plugin()->flush(instance, 10000, NULL);
    (void)kill(broker, SIGSTOP);
  }
  measure(instance, threads);
  if (frozen)
    (void)kill(broker, SIGCONT);
  if (strcmp(state, "draining") == 0)
    bench_tell_drained(instance);
  bench_stop(instance);
  print(state, fsync, threads);
}

int main(void) {
  static const char *const states[] = {"off", "up", "down", "frozen", "draining"};
  static const unsigned threads[] = {1, 4, 16, 64};
  bool broker = getenv("NATS_URL") && getenv("BENCH_BROKER_PID");

  if (!broker)
    printf("latency with a broker skipped: NATS_URL and BENCH_BROKER_PID name none\n");
  for (size_t state = 0; state < sizeof states / sizeof *states; state++) {
    bool needs_none = state == 0 || strcmp(states[state], "down") == 0;

    for (size_t i = 0; (broker || needs_none) && i < sizeof threads / sizeof *threads; i++) {
      run(states[state], "never", threads[i]);
      run(states[state], "always", threads[i]);
    }
  }
  return 0;
}
