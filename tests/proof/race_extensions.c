/* race_extensions.c - runs, batches, JSON with flags and queries, while the instance is stopped and
 * started again.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing is lost, and nothing is told that it can never work: what meets a stopped instance is
 * told E_STOPPED, and works when it is tried again. */
#include "race.h"

#include <kaizen/extensions.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define THREADS_OF_A_KIND 4
#define ROUNDS 25

static struct kaizen_instance *shared;
static atomic_bool finished;
static atomic_uint recorded, restarts, met_a_stop, serial;

/* 1: the same call is to be made again. */
static int again(int32_t code, const char *what) {
  char why[300];

  if (KAIZEN_MAY_RETRY(code, true)) {
    met_a_stop += code == KAIZEN_E_STOPPED;
    pause_ms(1);
    return 1;
  }
  if (code >= 0)
    return 0;
  (void)plugin->last_error(shared, why, sizeof why);
  die("%s: %s: %s", what, plugin->code_name(code), why);
}

static int32_t count_pieces(void *ctx, const char *data, size_t len) {
  (void)data, (void)len;
  ++*(uint64_t *)ctx;
  return 0;
}

static void *run_spans(void *ctx) {
  const struct kaizen_span_1 *span = plugin->get_extension(KAIZEN_SPAN_1);
  struct kaizen_execution execution = {
      .struct_size = sizeof execution, .outcome = KAIZEN_SUCCESS, .agent = {"runner", KAIZEN_NTS}};
  const struct kaizen_span run = {.struct_size = sizeof run, .agent = execution.agent};
  char token[KAIZEN_SPAN_TOKEN_SIZE];
  uint64_t listed = 0, lost;

  (void)ctx;
  for (unsigned i = 0; i < ROUNDS; i++) {
    while (again(span->begin(shared, &run, token), "begin"))
      continue;
    while (i % 5 == 4 && again(span->cancel(shared, "runner", KAIZEN_NTS, token), "cancel"))
      continue;
    while (i % 5 != 4 && again(span->end(shared, token, &execution, NULL, NULL), "end"))
      continue;
    recorded += i % 5 != 4;
    (void)again(span->list(shared, NULL, 0, count_pieces, &listed), "list");
    if (!again(span->sweep(shared, &lost), "sweep") && lost > 0)
      die("%u runs of a living process were taken as lost", (unsigned)lost);
  }
  return NULL;
}

static void *record_json(void *ctx) {
  const uint32_t flags = KAIZEN_EXEC_MAP_AGENT | KAIZEN_EXEC_KEEP_UNKNOWN;
  char text[256];

  (void)ctx;
  for (unsigned i = 0; i < ROUNDS; i++) {
    (void)snprintf(text, sizeof text,
                   "{\"agent\":\"The Agent\",\"success\":true,\"later\":{\"a\":[%u]},"
                   "\"idempotency_key\":\"json-%u\"}",
                   i, atomic_fetch_add(&serial, 1));
    while (
        again(plugin->on_execution_end_json(shared, text, KAIZEN_NTS,
                                            flags | KAIZEN_EXEC_CHECK_ONLY, NULL, NULL),
              "a check") ||
        again(plugin->on_execution_end_json(shared, text, KAIZEN_NTS, flags, NULL, NULL), "json"))
      continue;
    recorded++;
  }
  return NULL;
}

static void take_refusal(void *ctx, uint64_t line, int32_t code, const char *reason) {
  if (KAIZEN_MAY_RETRY(code, true))
    die("line %u: %s", (unsigned)line, reason);
  ++*(unsigned *)ctx;
}

static void *record_batches(void *ctx) {
  const struct kaizen_batch_1 *batch = plugin->get_extension(KAIZEN_BATCH_1);
  char lines[512];

  (void)ctx;
  for (unsigned i = 0; i < ROUNDS; i++) {
    struct kaizen_batch_result result = {.struct_size = sizeof result};
    unsigned refused = 0, number = atomic_fetch_add(&serial, 1);

    (void)snprintf(lines, sizeof lines,
                   "{\"agent\":\"one\",\"success\":true,\"idempotency_key\":\"one-%u\"}\n"
                   "{\"agent\":\"two\"}\n"
                   "{\"agent\":\"two\",\"success\":true,\"idempotency_key\":\"two-%u\"}\n",
                   number, number);
    do
      refused = 0;
    while (again(batch->record(shared, lines, KAIZEN_NTS, 0, KAIZEN_BATCH_ANY_ORDER, take_refusal,
                               &refused, &result),
                 "a batch"));
    if (result.recorded != 2 || refused != 1)
      die("of a batch %u were recorded, %u refused", (unsigned)result.recorded, refused);
    recorded += 2;
  }
  return NULL;
}

/* Each record is read once, though the log grows meanwhile. */
static void *read_along(void *ctx) {
  const struct kaizen_query_1 *query = plugin->get_extension(KAIZEN_QUERY_1);
  struct kaizen_query asked = {
      .struct_size = sizeof asked, .flags = KAIZEN_QUERY_AFTER, .agent = {"runner", KAIZEN_NTS}};
  struct kaizen_query_result result = {.struct_size = sizeof result};
  uint64_t *seen = ctx, agents = 0;
  bool last;

  do {
    int32_t code;

    last = atomic_load(&finished);
    code = query->records(shared, &asked, count_pieces, seen, &result);
    if (code == KAIZEN_E_REJECTED) /* nothing was recorded yet */
      continue;
    if (again(code, "records")) {
      last = false;
      continue;
    }
    if (result.flags & KAIZEN_QUERY_RESTARTED)
      die("the log was read from its beginning again");
    asked.after = result.place;
    (void)again(query->agents(shared, count_pieces, &agents), "agents");
  } while (!last);
  return NULL;
}

static void *restart(void *ctx) {
  (void)ctx;
  while (!atomic_load(&finished)) {
    (void)plugin->stop(shared, 0);
    pause_ms(1);
    if (plugin->start(shared) != KAIZEN_OK)
      die("not started again");
    restarts++;
    pause_ms(20);
  }
  return NULL;
}

void race_extensions(char *const arguments[]) {
  void *(*const bodies[])(void *) = {run_spans, record_json, record_batches};
  pthread_t recording[3 * THREADS_OF_A_KIND], others[3];
  uint64_t seen[2] = {0, 0};

  (void)arguments;
  (void)open_plugin();
  shared = start_instance();
  for (unsigned i = 0; i < 3 * THREADS_OF_A_KIND; i++)
    recording[i] = run_thread(bodies[i % 3], NULL);
  others[0] = run_thread(read_along, &seen[0]);
  others[1] = run_thread(read_along, &seen[1]);
  others[2] = run_thread(restart, NULL);
  for (unsigned i = 0; i < 3 * THREADS_OF_A_KIND; i++)
    (void)pthread_join(recording[i], NULL);
  atomic_store(&finished, true);
  for (int i = 0; i < 3; i++)
    (void)pthread_join(others[i], NULL);
  if (seen[0] != THREADS_OF_A_KIND * ROUNDS * 4 / 5 || seen[1] != seen[0])
    die("%u and %u records were read", (unsigned)seen[0], (unsigned)seen[1]);
  must_flush(shared);
  (void)plugin->stop(shared, 5000);
  plugin->destroy(shared);
  printf("recorded %u\nrestarts %u\nmet_a_stop %u\n", recorded, restarts, met_a_stop);
}
