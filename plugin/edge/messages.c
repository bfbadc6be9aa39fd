/* messages.c - messages on their way to the host's log callback.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "edge/messages.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "common/buffer.h"
#include "common/utf8.h"

#define QUIET_NS INT64_C(10000000000)

void messages_init(struct messages *messages, const struct kaizen_host_v1 *host) {
  memset(messages, 0, sizeof *messages);
  messages->host = host;
  (void)pthread_mutex_init(&messages->mutex, NULL);
}

void messages_fini(struct messages *messages) {
  (void)pthread_mutex_destroy(&messages->mutex);
}

/* False when a message of this id went out a moment ago, or there is no room for it; else *left_out
 * is how many were kept back since. */
static bool may_send(struct messages *messages, int32_t id, uint64_t *left_out) {
  bool has_room = messages->count < MESSAGES_QUEUED_MAX;
  int64_t now_ns = clock_monotonic_ns();
  size_t i;

  *left_out = 0;
  for (i = 0;
       i < MESSAGES_IDS_MAX - 1 && messages->recent[i].id != 0 && messages->recent[i].id != id;)
    i++;
  if (messages->recent[i].id != id) {
    messages->recent[i].id = id;
    messages->recent[i].next_ns = messages->recent[i].left_out = 0;
  }
  if (!has_room || now_ns < messages->recent[i].next_ns) {
    messages->recent[i].left_out++;
    return false;
  }
  *left_out = messages->recent[i].left_out;
  messages->recent[i].next_ns = now_ns + QUIET_NS;
  messages->recent[i].left_out = 0;
  return true;
}

static void put_text(char out[MESSAGES_TEXT_MAX], const char *text, uint64_t left_out) {
  char note[48] = "";
  size_t len;

  if (left_out > 0)
    (void)snprintf(note, sizeof note, " (and %llu more like it)", (unsigned long long)left_out);
  len = utf8_cut((struct span){text, strlen(text)}, MESSAGES_TEXT_MAX - sizeof note);
  (void)snprintf(out, MESSAGES_TEXT_MAX, "%.*s%s", (int)len, text, note);
}

void messages_send(void *ctx, int32_t level, int32_t id, const char *text) {
  struct messages *messages = ctx;
  uint64_t left_out;

  if (!messages->host->log || (uint32_t)level > messages->host->log_level)
    return;
  (void)pthread_mutex_lock(&messages->mutex);
  if (may_send(messages, id, &left_out)) {
    messages->queued[messages->count].level = level;
    messages->queued[messages->count].id = id;
    put_text(messages->queued[messages->count].text, text, left_out);
    messages->count++;
  }
  (void)pthread_mutex_unlock(&messages->mutex);
}

/* Takes the oldest one; false when there is none. */
static bool take(struct messages *messages, int32_t *level, int32_t *id,
                 char text[MESSAGES_TEXT_MAX]) {
  bool taken;

  (void)pthread_mutex_lock(&messages->mutex);
  taken = messages->count > 0;
  if (taken) {
    *level = messages->queued[0].level;
    *id = messages->queued[0].id;
    memcpy(text, messages->queued[0].text, MESSAGES_TEXT_MAX);
    messages->count--;
    memmove(&messages->queued[0], &messages->queued[1],
            messages->count * sizeof messages->queued[0]);
  }
  (void)pthread_mutex_unlock(&messages->mutex);
  return taken;
}

void messages_deliver(struct messages *messages) {
  char text[MESSAGES_TEXT_MAX];
  int32_t level, id;

  if (atomic_load_explicit(&messages->count, memory_order_relaxed) == 0)
    return;
  while (take(messages, &level, &id, text))
    messages->host->log(messages->host->ctx, level, id, text, strlen(text));
}
