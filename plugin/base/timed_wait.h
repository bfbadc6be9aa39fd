/* timed_wait.h - waiting for a condition or a semaphore, with a deadline.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A preloaded library such as libfaketime may give a process other clocks.  It replaces
 * clock_gettime() and only some of the calls that wait.  So the deadline's clock gives the time
 * that is left, and the kernel's own clock ends the wait. */
#ifndef KAIZEN_BASE_TIMED_WAIT_H
#define KAIZEN_BASE_TIMED_WAIT_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

/* The deadlines are of clock_monotonic_ns().  The mutex is held, as for pthread_cond_wait(), and
 * the caller checks again what it waits for.  False when the deadline has passed. */
bool timed_wait_cond(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns);
/* Signals do not end it.  False when the deadline has passed, and nothing was taken. */
bool timed_wait_semaphore(sem_t *semaphore, int64_t deadline_ns);

#endif
