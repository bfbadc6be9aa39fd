/* bench_publish.c - P5: draining a backlog, against bare js_PublishMsgAsync of the same payloads;
 * and what the drain costs those who record meanwhile, against what another process's bare
 * publishing costs them: where broker, publisher and recorder are more than the processors, both
 * are waiting for one.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Needs a broker at NATS_URL with a stream for the events.  The backlog is recorded with delivery
 * "relay", so nothing is sent before the measured part begins; the measured part is from start() to
 * the last acknowledgement, reading the logs included. */
#include "bench.h"

#include <errno.h>
#include <nats/nats.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <kaizen/extensions.h>

#define SUBJECT "activity.kaizen.metrics.recorded"
enum { SAMPLES = 4000, PATIENCE_MS = 600000 }; /* on a machine that others keep busy */

extern char **environ;

static const char *const relay[] = {"emit_event", "true", "delivery", "relay", NULL};
static const char *const emit[] = {"emit_event", "true", NULL};

static void make_backlog(char root[BENCH_PATH], unsigned count) {
  struct kaizen_instance *instance;

  bench_folder(root, "publish", false);
  instance = bench_start(root, relay);
  bench_fill(instance, "bench", NULL, 0, count);
  bench_stop(instance);
}

static double drain_cpu_s, publish_cpu_s; /* of this process, by the last call */

static double drain(unsigned count) {
  struct kaizen_instance *instance;
  char root[BENCH_PATH];
  double begin, rate;

  make_backlog(root, count);
  drain_cpu_s = bench_cpu_s();
  begin = bench_wall_s();
  instance = bench_start(root, emit);
  bench_flush(instance);
  rate = count / (bench_wall_s() - begin);
  drain_cpu_s = bench_cpu_s() - drain_cpu_s;
  bench_stop(instance);
  return rate;
}

/* ---- the reference --------------------------------------------------------------------------- */

static void check(natsStatus status) {
  if (status != NATS_OK)
    bench_fail(natsStatus_GetText(status));
}

static double publish(unsigned count) {
  static unsigned long long next_id;
  static const char payload[] =
      "{\"id\":\"00000000-0000-4000-8000-000000000000\",\"type\":\"kaizen.metrics.recorded\","
      "\"version\":\"1.0\",\"timestamp\":\"2026-01-02T03:04:05Z\",\"publisher\":\"kaizen-agentic\","
      "\"attributes\":{\"agent\":\"bench\",\"project\":\"publish-abcdef\",\"summary\":"
      "{\"success_rate\":0.8,\"execution_count\":10000,\"avg_quality\":0.875}}}";
  natsConnection *connection = NULL;
  natsOptions *options = NULL;
  jsOptions settings;
  jsCtx *stream = NULL;
  double begin = bench_wall_s(), rate;

  publish_cpu_s = bench_cpu_s();
  check(natsOptions_Create(&options));
  check(natsOptions_SetURL(options, getenv("NATS_URL")));
  check(natsOptions_SetTimeout(options,
                               PATIENCE_MS)); /* 2 s unless set: too little for a busy broker */
  check(natsConnection_Connect(&connection, options));
  check(jsOptions_Init(&settings));
  settings.PublishAsync.MaxPending = 4096;
  settings.PublishAsync.StallWait =
      PATIENCE_MS; /* 200 ms unless set: then a full window is an error */
  check(natsConnection_JetStream(&stream, connection, &settings));
  for (unsigned i = 0; i < count; i++) {
    char id[40];
    natsMsg *message = NULL;

    snprintf(id, sizeof id, "%08x-bare-4000-8000-%012llx", (unsigned)(bench_wall_s()), ++next_id);
    check(natsMsg_Create(&message, SUBJECT, NULL, payload, sizeof payload - 1));
    check(natsMsgHeader_Set(message, "Nats-Msg-Id", id));
    check(js_PublishMsgAsync(stream, &message, NULL));
    natsMsg_Destroy(message);
  }
  check(js_PublishAsyncComplete(stream, NULL));
  rate = count / (bench_wall_s() - begin);
  publish_cpu_s = bench_cpu_s() - publish_cpu_s;
  jsCtx_Destroy(stream);
  natsConnection_Destroy(connection);
  natsOptions_Destroy(options);
  return rate;
}

/* ---- recording while it drains --------------------------------------------------------------- */

static double p99_of(struct kaizen_instance *instance, const char *agent) {
  static double taken[SAMPLES];
  struct kaizen_execution execution = bench_execution(agent);

  for (int i = 0; i < SAMPLES; i++) {
    double begin = bench_wall_s();

    bench_record(instance, &execution);
    taken[i] = (bench_wall_s() - begin) * 1e6;
  }
  bench_sort(taken, SAMPLES);
  return bench_percentile(taken, SAMPLES, 0.99);
}

/* This program again, as one that does nothing but publish. */
static pid_t publish_elsewhere(unsigned count) {
  char number[16];
  char name[] = "bench_publish", *arguments[] = {name, number, NULL};
  pid_t child;

  snprintf(number, sizeof number, "%u", count);
  errno = posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ);
  if (errno != 0)
    bench_fail("posix_spawn");
  return child;
}

static void compare_latency(unsigned backlog) {
  double draining[BENCH_PAIRS], silent[BENCH_PAIRS], ratio[BENCH_PAIRS];
  double beside[BENCH_PAIRS], share[BENCH_PAIRS];

  for (int pair = 0; pair < BENCH_PAIRS; pair++) {
    struct kaizen_instance *instance;
    char root[BENCH_PATH], quiet[BENCH_PATH];
    pid_t child;
    int status;

    bench_folder(quiet, "publish", false);
    instance = bench_start(quiet, NULL);
    silent[pair] = p99_of(instance, "own");
    child = publish_elsewhere(20 * backlog);
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL); /* until it is at it */
    beside[pair] = p99_of(instance, "own");
    if (waitpid(child, &status, WNOHANG) == child)
      printf("# the other process was done before the last sample was taken\n");
    else if (kill(child, SIGKILL) != 0 || waitpid(child, &status, 0) != child)
      bench_fail("waitpid");
    bench_stop(instance);
    make_backlog(root, backlog);
    instance = bench_start(root, emit);
    draining[pair] = p99_of(instance, "own");
    bench_tell_drained(instance);
    bench_stop(instance);
    ratio[pair] = draining[pair] / silent[pair];
    share[pair] = draining[pair] / beside[pair];
  }
  bench_print("p5.p99_draining", draining, BENCH_PAIRS, "us", NULL);
  bench_print("p5.p99_silent", silent, BENCH_PAIRS, "us", NULL);
  bench_print("p5.p99_ratio", ratio, BENCH_PAIRS, "ratio", "<= 1.5");
  bench_print("p5.p99_beside_bare", beside, BENCH_PAIRS, "us", NULL);
  bench_print("p5.p99_over_beside_bare", share, BENCH_PAIRS, "ratio", NULL);
}

/* A long backlog while two threads go on recording: memory, and that it ends. */
struct writer {
  struct kaizen_instance *instance;
  atomic_bool ended;
  unsigned long recorded;
};

static void *write_on(void *ctx) {
  struct writer *writer = ctx;
  struct kaizen_execution execution = bench_execution("meanwhile");

  for (; !atomic_load(&writer->ended); writer->recorded++)
    bench_record(writer->instance, &execution);
  return NULL;
}

static void drain_long(unsigned count) {
  struct writer writer = {0};
  struct kaizen_stats stats = {.struct_size = sizeof stats};
  char root[BENCH_PATH];
  uint64_t before_kib, most_kib = 0;
  pthread_t thread;
  double begin;

  make_backlog(root, count);
  before_kib = bench_status("VmRSS");
  begin = bench_wall_s();
  writer.instance = bench_start(root, emit);
  if (pthread_create(&thread, NULL, write_on, &writer) != 0)
    bench_fail("pthread_create");
  do {
    uint64_t kib = bench_status("VmRSS");

    most_kib = kib > most_kib ? kib : most_kib;
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    (void)bench_plugin()->stats(writer.instance, &stats);
    if (bench_wall_s() > begin + PATIENCE_MS / 1000.0)
      bench_fail("the long backlog is not drained");
  } while (stats.acknowledged < count);
  bench_print_one("p5.long_backlog", count, "events", NULL);
  bench_print_one("p5.long_drained", (double)stats.acknowledged / (bench_wall_s() - begin),
                  "events/s", NULL);
  atomic_store(&writer.ended, true);
  pthread_join(thread, NULL);
  bench_print_one("p5.long_recorded_meanwhile", (double)writer.recorded, "records", NULL);
  bench_print_one("p5.long_memory_growth", (double)(most_kib - before_kib) / 1024, "MiB", NULL);
  bench_stop(writer.instance);
}

int main(int argc, char **argv) {
  unsigned count = bench_full() ? 200000 : 30000;
  double ours[BENCH_PAIRS], theirs[BENCH_PAIRS], ratio[BENCH_PAIRS], cpu[BENCH_PAIRS];

  if (!getenv("NATS_URL")) {
    printf("p5 skipped: NATS_URL names no broker\n");
    return 0;
  }
  if (argc > 1) {
    publish((unsigned)atoi(argv[1]));
    return 0;
  }
  publish(1000);
  for (int pair = 0; pair < BENCH_PAIRS; pair++) {
    double before = publish(count / 2);

    ours[pair] = drain(count);
    theirs[pair] = 2 / (1 / before + 1 / publish(count / 2));
    ratio[pair] = ours[pair] / theirs[pair];
    cpu[pair] = 2 * publish_cpu_s / drain_cpu_s;
  }
  bench_print("p5.drain.ours", ours, BENCH_PAIRS, "events/s", NULL);
  bench_print("p5.drain.reference", theirs, BENCH_PAIRS, "events/s", NULL);
  bench_print("p5.drain.ratio", ratio, BENCH_PAIRS, "ratio", ">= 0.95");
  bench_print("p5.drain.cpu_ratio", cpu, BENCH_PAIRS, "ratio", NULL);
  for (unsigned backlog = 1000; backlog <= count; backlog *= 10) {
    char label[64];

    snprintf(label, sizeof label, "growth.backlog.%u", backlog);
    bench_print_one(label, drain(backlog), "events/s", NULL);
  }
  compare_latency(bench_full() ? 300000 : 100000);
  drain_long(bench_full() ? 1000000 : 100000);
  return 0;
}
