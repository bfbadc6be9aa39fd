/* process.h - which process this is, also after a fork, and access to state that exists once per
 * process.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A pid does not tell a process from its child: with a new pid namespace both may be pid 1.
 *
 * A forked child has a copy of all memory and none of the other threads.  A mutex that one of them
 * held stays locked in the child forever, and what it guards may be half changed.  Whatever is
 * static and changes is guarded by a struct process_state: its first user in a child initialises
 * the mutex again and forgets what the parent had. */
#ifndef KAIZEN_BASE_PROCESS_H
#define KAIZEN_BASE_PROCESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* A number of this process that differs from that of every process it was forked from; never 0.
 * Any thread. */
uint64_t process_number(void);

struct process_state {
  pthread_mutex_t mutex;
  _Atomic uint64_t owner; /* the process it belongs to; 0: not used yet */
};
#define PROCESS_STATE_INITIALIZER                                                                  \
  { PTHREAD_MUTEX_INITIALIZER, 0 }

/* Locks it.  `forget` (may be NULL) is called first, without the lock, by one thread of a child: it
 * sets what the state guards to its initial values, and must neither read nor free what is
 * there. */
void process_state_lock(struct process_state *state, void (*forget)(void));
void process_state_unlock(struct process_state *state);

#endif
