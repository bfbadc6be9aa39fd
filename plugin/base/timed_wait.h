/* timed_wait.h - waiting for a condition or a semaphore, with a deadline.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A process may run with other clocks, by a preloaded library such as libfaketime.  Such a library
 * replaces clock_gettime() and only some of the calls that wait.  So the time that is left is told
 * by the clock of the deadline, and the wait ends by the kernel's own clock. */
#ifndef KAIZEN_BASE_TIMED_WAIT_H
#define KAIZEN_BASE_TIMED_WAIT_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

/* The deadlines are of clock_monotonic_ns().  The mutex is held, as for pthread_cond_wait(), and
 * the caller looks again at what it waits for.  False when the deadline has passed. */
bool timed_wait_cond(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns);
/* Signals do not end it.  False when the deadline has passed, and nothing was taken. */
bool timed_wait_semaphore(sem_t *semaphore, int64_t deadline_ns);

#endif
