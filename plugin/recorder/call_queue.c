/* call_queue.c - the calls that record for one agent at the same time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder/call_queue.h"

#include "base/clock.h"
#include "base/timed_wait.h"

/* How long a leader waits for others at most, before it syncs for all of them. */
#define COMPANY_NS INT64_C(60000)

enum { TURN_WAITS, TURN_LEADS, TURN_SERVED };

void call_queue_init(struct call_queue *queue) {
  *queue = (struct call_queue){0};
  queue->last = &queue->first;
  (void)pthread_mutex_init(&queue->mutex, NULL);
  (void)pthread_cond_init(&queue->company, NULL);
}

void call_queue_fini(struct call_queue *queue) {
  (void)pthread_cond_destroy(&queue->company);
  (void)pthread_mutex_destroy(&queue->mutex);
}

void call_queue_call_init(struct queued_call *call, struct recorder_request *requests, size_t count,
                          int64_t deadline_ns) {
  size_t i;

  *call = (struct queued_call){.requests = requests, .count = count, .deadline_ns = deadline_ns};
  for (i = 0; i < count; i++)
    call->bytes += requests[i].execution->line.len;
  (void)sem_init(&call->wake, 0, 0);
}

void call_queue_call_fini(struct queued_call *call) {
  (void)sem_destroy(&call->wake);
}

void call_queue_call_fail(struct queued_call *call, const struct error *error) {
  size_t i;

  for (i = 0; i < call->count; i++)
    call->requests[i].code = error->code;
  if (error != &call->error)
    call->error = *error;
}

/* Mutex held. */
static void withdraw(struct call_queue *queue, const struct queued_call *call) {
  struct queued_call **at = &queue->first;

  while (*at != call)
    at = &(*at)->next;
  *at = call->next;
  if (!*at)
    queue->last = at;
  queue->count--;
}

/* Until the call is served, or leads. */
static enum call_queue_turn wait_turn(struct call_queue *queue, struct queued_call *call) {
  bool withdrawn;

  if (!timed_wait_semaphore(&call->wake, call->deadline_ns)) {
    (void)pthread_mutex_lock(&queue->mutex);
    withdrawn = !call->taken && atomic_load(&call->turn) == TURN_WAITS;
    if (withdrawn)
      withdraw(queue, call);
    (void)pthread_mutex_unlock(&queue->mutex);
    if (withdrawn)
      return CALL_QUEUE_TOO_LATE;
    while (sem_wait(&call->wake) != 0) /* it is being served, or is about to lead */
      continue;
  }
  return atomic_load_explicit(&call->turn, memory_order_acquire) == TURN_LEADS ? CALL_QUEUE_LEADS
                                                                               : CALL_QUEUE_SERVED;
}

enum call_queue_turn call_queue_join(struct call_queue *queue, struct queued_call *call) {
  bool leads;

  (void)pthread_mutex_lock(&queue->mutex);
  *queue->last = call;
  queue->last = &call->next;
  if (++queue->count == queue->wanted)
    (void)pthread_cond_signal(&queue->company);
  leads = !queue->led;
  queue->led = true;
  (void)pthread_mutex_unlock(&queue->mutex);
  return leads ? CALL_QUEUE_LEADS : wait_turn(queue, call);
}

/* Those that the last leader served are just about to record again. */
void call_queue_wait_for_company(struct call_queue *queue) {
  int64_t deadline_ns = clock_monotonic_ns() + COMPANY_NS;
  bool in_time = true;

  (void)pthread_mutex_lock(&queue->mutex);
  queue->wanted = queue->last_taken;
  while (in_time && queue->count < queue->wanted)
    in_time = timed_wait_cond(&queue->company, &queue->mutex, deadline_ns);
  queue->wanted = 0;
  (void)pthread_mutex_unlock(&queue->mutex);
}

size_t call_queue_take(struct call_queue *queue, uint64_t max_bytes,
                       struct queued_call *taken[CALL_QUEUE_TAKEN_MAX]) {
  size_t count = 0;
  uint64_t bytes = 0;

  (void)pthread_mutex_lock(&queue->mutex);
  while (queue->first && count < CALL_QUEUE_TAKEN_MAX &&
         (count == 0 || bytes + queue->first->bytes <= max_bytes)) {
    struct queued_call *call = queue->first;

    bytes += call->bytes;
    call->taken = true;
    taken[count++] = call;
    withdraw(queue, call);
  }
  queue->last_taken = count;
  (void)pthread_mutex_unlock(&queue->mutex);
  return count;
}

void call_queue_hand_over(struct call_queue *queue, const struct queued_call *untaken) {
  struct queued_call *next;

  (void)pthread_mutex_lock(&queue->mutex);
  if (untaken)
    withdraw(queue, untaken);
  next = queue->first;
  if (next)
    atomic_store_explicit(&next->turn, TURN_LEADS, memory_order_release);
  else
    queue->led = false;
  (void)pthread_mutex_unlock(&queue->mutex);
  if (next)
    (void)sem_post(&next->wake);
}

void call_queue_wake(struct queued_call *const taken[], size_t count,
                     const struct queued_call *leader) {
  size_t i;

  for (i = 0; i < count; i++) {
    if (taken[i] == leader)
      continue;
    atomic_store_explicit(&taken[i]->turn, TURN_SERVED, memory_order_release);
    (void)sem_post(&taken[i]->wake);
  }
}

bool call_queue_hold_idle(struct call_queue *queue) {
  (void)pthread_mutex_lock(&queue->mutex);
  if (!queue->led)
    return true;
  (void)pthread_mutex_unlock(&queue->mutex);
  return false;
}

void call_queue_let_go(struct call_queue *queue) {
  (void)pthread_mutex_unlock(&queue->mutex);
}
