/* bench_peers.c - what a user would pick instead: a Python logger, spans of an OpenTelemetry SDK.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The other peers are in bench_sqlite (q1) and bench_publish (p5.drain).  The logger keeps both
 * files, as the plugin does; a span is sent and nothing is kept, so ours is the whole way of an
 * event there, from the call to the acknowledgement of the stream. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOGGED = 2000, SPANS = 20000 };

/* Seconds that a program says it took. */
static double ask(const char *command) {
  double seconds;
  FILE *output = popen(command, "r");

  if (!output || fscanf(output, "%lf", &seconds) != 1 || pclose(output) != 0)
    bench_fail(command);
  return seconds;
}

static double record(struct kaizen_instance *instance, unsigned count) {
  struct kaizen_execution execution = bench_execution("bench");
  static unsigned long long next;
  double begin = bench_wall_s();
  char key[32];

  for (unsigned i = 0; i < count; i++) {
    snprintf(key, sizeof key, "k-%llu", next++);
    execution.idempotency_key = (struct kaizen_str){key, KAIZEN_NTS};
    bench_record(instance, &execution);
  }
  bench_flush(instance);
  return count / (bench_wall_s() - begin);
}

static void print(const char *name, double *ours, double *theirs) {
  double ratio[BENCH_PAIRS];
  char label[64];

  for (int pair = 0; pair < BENCH_PAIRS; pair++)
    ratio[pair] = ours[pair] / theirs[pair];
  snprintf(label, sizeof label, "peers.%s.ours", name);
  bench_print(label, ours, BENCH_PAIRS, "/s", NULL);
  snprintf(label, sizeof label, "peers.%s.reference", name);
  bench_print(label, theirs, BENCH_PAIRS, "/s", NULL);
  snprintf(label, sizeof label, "peers.%s.ratio", name);
  bench_print(label, ratio, BENCH_PAIRS, "ratio", NULL);
}

static void against_python(const char *source) {
  const char *python = getenv("PYTHON");
  double ours[BENCH_PAIRS], theirs[BENCH_PAIRS];
  struct kaizen_instance *instance;
  char root[BENCH_PATH], folder[BENCH_PATH], command[3 * BENCH_PATH];

  bench_folder(root, "peers", false);
  instance = bench_start(root, NULL);
  for (int pair = 0; pair < BENCH_PAIRS; pair++) {
    bench_folder(folder, "logger", false);
    snprintf(command, sizeof command, "'%s' '%s/naive_log.py' --kept '%s' %d",
             python ? python : "python3", source, folder, LOGGED);
    theirs[pair] = LOGGED / ask(command);
    ours[pair] = record(instance, LOGGED);
  }
  bench_stop(instance);
  print("python_logger", ours, theirs);
}

static void against_spans(const char *source) {
  static const char *const emit[] = {"emit_event", "true", NULL};
  const char *modules = getenv("BENCH_OTEL");
  double ours[BENCH_PAIRS], theirs[BENCH_PAIRS];
  struct kaizen_instance *instance;
  char root[BENCH_PATH], command[3 * BENCH_PATH];

  if (!modules || !getenv("NATS_URL")) {
    printf("peers.opentelemetry skipped: %s\n",
           modules ? "NATS_URL names no broker"
                   : "BENCH_OTEL names no folder with @opentelemetry/sdk-trace-node and "
                     "@opentelemetry/exporter-trace-otlp-http");
    return;
  }
  snprintf(command, sizeof command, "node '%s/otel_spans.mjs' '%s' %d", source, modules, SPANS);
  bench_folder(root, "peers", false);
  instance = bench_start(root, emit);
  for (int pair = 0; pair < BENCH_PAIRS; pair++) {
    theirs[pair] = SPANS / ask(command);
    ours[pair] = record(instance, SPANS);
  }
  bench_stop(instance);
  print("opentelemetry", ours, theirs);
}

int main(void) {
  const char *source = getenv("BENCH_SOURCE");

  against_python(source ? source : "bench");
  against_spans(source ? source : "bench");
  return 0;
}
