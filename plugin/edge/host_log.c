/* host_log.c - messages on their way to the host's log callback.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "edge/host_log.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "common/buffer.h"
#include "common/utf8.h"

#define QUIET_NS INT64_C(10000000000)

void host_log_init(struct host_log *log, const struct kaizen_host_v1 *host) {
  memset(log, 0, sizeof *log);
  log->host = host;
  (void)pthread_mutex_init(&log->mutex, NULL);
}

void host_log_fini(struct host_log *log) {
  (void)pthread_mutex_destroy(&log->mutex);
}

/* False when a message of this id went out a moment ago, or there is no room for it; else *left_out
 * is how many were left out since. */
static bool may_send(struct host_log *log, int32_t id, uint64_t *left_out) {
  bool has_room = log->count < HOST_LOG_QUEUED_MAX;
  int64_t now_ns = clock_monotonic_ns();
  size_t i;

  *left_out = 0;
  for (i = 0; i < HOST_LOG_IDS_MAX - 1 && log->recent[i].id != 0 && log->recent[i].id != id;)
    i++;
  if (log->recent[i].id != id) {
    log->recent[i].id = id;
    log->recent[i].next_ns = log->recent[i].left_out = 0;
  }
  if (!has_room || now_ns < log->recent[i].next_ns) {
    log->recent[i].left_out++;
    return false;
  }
  *left_out = log->recent[i].left_out;
  log->recent[i].next_ns = now_ns + QUIET_NS;
  log->recent[i].left_out = 0;
  return true;
}

static void put_text(char out[HOST_LOG_TEXT_MAX], const char *text, uint64_t left_out) {
  char note[48] = "";
  size_t len;

  if (left_out > 0)
    (void)snprintf(note, sizeof note, " (and %llu more like it)", (unsigned long long)left_out);
  len = utf8_cut((struct span){text, strlen(text)}, HOST_LOG_TEXT_MAX - sizeof note);
  (void)snprintf(out, HOST_LOG_TEXT_MAX, "%.*s%s", (int)len, text, note);
}

void host_log_send(void *ctx, int32_t level, int32_t id, const char *text) {
  struct host_log *log = ctx;
  uint64_t left_out;

  if (!log->host->log || (uint32_t)level > log->host->log_level)
    return;
  (void)pthread_mutex_lock(&log->mutex);
  if (may_send(log, id, &left_out)) {
    log->queued[log->count].level = level;
    log->queued[log->count].id = id;
    put_text(log->queued[log->count].text, text, left_out);
    log->count++;
  }
  (void)pthread_mutex_unlock(&log->mutex);
}

/* Takes the oldest one; false when there is none. */
static bool take(struct host_log *log, int32_t *level, int32_t *id, char text[HOST_LOG_TEXT_MAX]) {
  bool taken;

  (void)pthread_mutex_lock(&log->mutex);
  taken = log->count > 0;
  if (taken) {
    *level = log->queued[0].level;
    *id = log->queued[0].id;
    memcpy(text, log->queued[0].text, HOST_LOG_TEXT_MAX);
    log->count--;
    memmove(&log->queued[0], &log->queued[1], log->count * sizeof log->queued[0]);
  }
  (void)pthread_mutex_unlock(&log->mutex);
  return taken;
}

void host_log_deliver(struct host_log *log) {
  char text[HOST_LOG_TEXT_MAX];
  int32_t level, id;

  if (atomic_load_explicit(&log->count, memory_order_relaxed) == 0)
    return;
  while (take(log, &level, &id, text))
    log->host->log(log->host->ctx, level, id, text, strlen(text));
}
