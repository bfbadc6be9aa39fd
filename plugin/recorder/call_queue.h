/* call_queue.h - the calls that record for one agent at the same time: who leads, who waits.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One call leads: it alone uses the agent, and commits for every call that it takes from the
 * queue.  The others wait, are served, and return.  A leader hands over to the next that waits. */
#ifndef KAIZEN_CALL_QUEUE_H
#define KAIZEN_CALL_QUEUE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "recorder/request.h"
#include "store/summary.h"

/* How many calls one leader commits for. */
#define CALL_QUEUE_TAKEN_MAX 256

struct queued_call { /* one call of recorder_record(), on its stack; in the queue until taken */
  struct recorder_request *requests;
  size_t count, bytes;
  int64_t deadline_ns; /* CLOCK_MONOTONIC */
  struct summary summary;
  struct error error;
  /* the queue's */
  sem_t wake;       /* posted once, with `turn` no longer waiting */
  atomic_uint turn; /* set under the queue's mutex */
  bool taken;       /* guarded by the queue's mutex */
  struct queued_call *next;
};

struct call_queue {
  pthread_mutex_t mutex; /* of all that follows */
  struct queued_call *first, **last;
  size_t count, last_taken, wanted; /* wanted: `company` is signalled when that many wait */
  pthread_cond_t company;
  bool led;
};

void call_queue_init(struct call_queue *queue);
void call_queue_fini(struct call_queue *queue); /* nobody in it */
void call_queue_call_init(struct queued_call *call, struct recorder_request *requests, size_t count,
                          int64_t deadline_ns);
void call_queue_call_fini(struct queued_call *call);
/* Answers every request of the call with the error's code. */
void call_queue_call_fail(struct queued_call *call, const struct error *error);

enum call_queue_turn {
  CALL_QUEUE_LEADS,   /* this call leads: it is the first in the queue until it takes itself */
  CALL_QUEUE_SERVED,  /* a leader answered */
  CALL_QUEUE_TOO_LATE /* nobody took it before its deadline; it is out of the queue */
};
enum call_queue_turn call_queue_join(struct call_queue *queue, struct queued_call *call);

/* The leader's.  Waits a moment for as many calls as the last leader served. */
void call_queue_wait_for_company(struct call_queue *queue);
/* Takes calls from the head of the queue, at least one, of together at most `max_bytes`; answers
 * how many. */
size_t call_queue_take(struct call_queue *queue, uint64_t max_bytes,
                       struct queued_call *taken[CALL_QUEUE_TAKEN_MAX]);
/* The next in the queue leads.  `untaken`: the leader itself, when it leaves without having taken
 * itself; else NULL. */
void call_queue_hand_over(struct call_queue *queue, const struct queued_call *untaken);
/* Lets the calls that were taken return; the leader's own is among them and not woken. */
void call_queue_wake(struct queued_call *const taken[], size_t count,
                     const struct queued_call *leader);

/* True when nobody leads, and nobody begins to before call_queue_let_go(). */
bool call_queue_hold_idle(struct call_queue *queue);
void call_queue_let_go(struct call_queue *queue);

#endif
