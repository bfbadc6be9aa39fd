/* errand.c - work with a deadline.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/errand.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/timed_wait.h"

#define STACK_BYTES (256u << 10)
#define HURRY_NS INT64_C(50000000) /* enough for a call to end once its connection is shut */

struct errand_thread { /* freed by the thread or its caller, whichever ends last */
  struct errand errand;
  void *ctx;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool ended, left;
};

static void free_thread(struct errand_thread *thread) {
  (void)pthread_cond_destroy(&thread->changed);
  (void)pthread_mutex_destroy(&thread->mutex);
  free(thread);
}

static void *run(void *argument) {
  struct errand_thread *thread = argument;
  bool left;

  thread->errand.work(thread->ctx);
  (void)pthread_mutex_lock(&thread->mutex);
  thread->ended = true;
  left = thread->left;
  (void)pthread_cond_signal(&thread->changed);
  (void)pthread_mutex_unlock(&thread->mutex);
  if (left) {
    if (thread->errand.drop)
      thread->errand.drop(thread->ctx);
    free_thread(thread);
  }
  return NULL;
}

static int start(struct errand_thread *thread) {
  pthread_attr_t attributes;
  sigset_t all, before;
  pthread_t ignored;
  int result;

  (void)pthread_mutex_init(&thread->mutex, NULL);
  (void)pthread_cond_init(&thread->changed, NULL);
  if (pthread_attr_init(&attributes) != 0)
    return -1;
  (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
  (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  result = pthread_create(&ignored, &attributes, run, thread);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)pthread_attr_destroy(&attributes);
  return result == 0 ? 0 : -1;
}

/* The mutex is held. */
static bool wait_for_end(struct errand_thread *thread, int64_t deadline_ns) {
  while (!thread->ended)
    if (!timed_wait_cond(&thread->changed, &thread->mutex, deadline_ns))
      break;
  return thread->ended;
}

int errand_run(const struct errand *errand, void *ctx, int64_t deadline_ns) {
  struct errand_thread *thread = calloc(1, sizeof *thread);
  bool ended;

  if (!thread)
    return -1;
  thread->errand = *errand;
  thread->ctx = ctx;
  if (start(thread) != 0) {
    free_thread(thread);
    return -1;
  }
  (void)pthread_mutex_lock(&thread->mutex);
  ended = wait_for_end(thread, deadline_ns);
  if (!ended && errand->hurry) {
    (void)pthread_mutex_unlock(&thread->mutex);
    errand->hurry(ctx);
    (void)pthread_mutex_lock(&thread->mutex);
    ended = wait_for_end(thread, clock_monotonic_ns() + HURRY_NS);
  }
  thread->left = !ended;
  (void)pthread_mutex_unlock(&thread->mutex);
  if (!ended)
    return 1;
  free_thread(thread);
  return 0;
}
