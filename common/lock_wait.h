/* lock_wait.h - flock(2) with a deadline.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A blocking flock has no deadline, so the lock is tried again and again.  This is the one place
 * that does so: every wait for a lock works the same way. */
#ifndef KAIZEN_COMMON_LOCK_WAIT_H
#define KAIZEN_COMMON_LOCK_WAIT_H

#include <stdint.h>

/* Takes `operation` (LOCK_EX or LOCK_SH) on `fd`; tried at least once, whatever the CLOCK_MONOTONIC
 * deadline.  0 taken, 1 the deadline passed, -1 with errno. */
int lock_wait_take(int fd, int operation, int64_t deadline_ns);

#endif
