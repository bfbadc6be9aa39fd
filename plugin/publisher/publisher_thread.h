/* publisher_thread.h - one publisher: a thread and a connection, for every project of the process
 * with the same settings.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_PUBLISHER_THREAD_H
#define KAIZEN_PUBLISHER_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "publisher/publisher_flow.h"

enum publisher_sleep {
  PUBLISHER_AWAKE,
  PUBLISHER_NAPPING,  /* for a millisecond: only answers are worth waking it */
  PUBLISHER_SLEEPING, /* commits wake it, too */
};

struct publisher {
  struct publisher *next;             /* in the registry, guarded by the registry's mutex */
  struct transport_settings settings; /* strings of our own */

  pthread_mutex_t mutex;
  pthread_cond_t wake, changed;
  /* guarded by the mutex */
  struct publisher_project *projects; /* grows at the head, by anybody; shrinks by the thread */
  enum publisher_sleep sleep;
  bool roused; /* while it was awake: it does not go to sleep then */
  bool hurry;  /* somebody waits for events to be acknowledged */
  bool gone;   /* the thread has released everything */
  bool joined;
  unsigned waiters; /* callers in publisher_detach() */
  unsigned users;   /* waiters and the thread: the last one frees */
  pthread_t thread;
  /* The thread has no project: may it end?  False when one has come meanwhile. */
  bool (*retire)(struct publisher *publisher);

  /* the thread's */
  struct publisher_flow flow;
  struct os_watch *watch; /* of the folders of many projects; NULL: there are few, or watching is
                           * unavailable */
  bool watch_tried;
  pthread_t watcher;
};

/* A new one, not started; `retire` may be NULL when it never is.  NULL when memory runs out. */
struct publisher *publisher_thread_new(const struct transport_kind *kind,
                                       const struct transport_settings *settings,
                                       bool (*retire)(struct publisher *publisher));
void publisher_thread_free(struct publisher *publisher);
/* Starts its thread: every signal blocked, a small stack.  0 or an errno. */
int publisher_thread_start(struct publisher *publisher);
/* The mutex is held.  Ends a sleep, `nap` too. */
void publisher_thread_rouse(struct publisher *publisher, bool nap);
/* Ends one use; the last one frees it.  The mutex is held, and released by it. */
void publisher_thread_put(struct publisher *publisher);

#endif
