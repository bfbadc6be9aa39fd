/* agent_lock.h - an agent's .lock: exclusive for writers of its log and state, shared for readers
 * of committed bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * flock(2) on the agent folder's `.lock`, polled (a blocking flock has no deadline), exclusive
 * takers queue behind a turnstile (`.next`) so that a process that records in a loop cannot starve
 * the others; it may take a free lock past the turnstile for a moment after it went through.  The
 * protocol other programs may adopt is in docs/format.md. */
#ifndef KAIZEN_AGENT_LOCK_H
#define KAIZEN_AGENT_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct agent_lock {
  int lock_fd, next_fd; /* -1: closed */
  dev_t device;         /* of the lock file, to be compared with what its name means later */
  ino_t inode;
  int64_t passed_ns; /* CLOCK_MONOTONIC: when it last went through the turnstile */
};

/* Opens (makes when missing) both files in the agent's folder.  0 or -1 with *error. */
int agent_lock_open(struct agent_lock *lock, int agent_fd, struct error *error);
void agent_lock_close(struct agent_lock *lock);
/* Until the CLOCK_MONOTONIC deadline.  0, 1 when the deadline passed, -1 with *error. */
int agent_lock_exclusive(struct agent_lock *lock, int64_t deadline_ns, struct error *error);
int agent_lock_shared(struct agent_lock *lock, int64_t deadline_ns, struct error *error);
void agent_lock_release(struct agent_lock *lock);
/* False when the lock file was removed or replaced under its name: the lock then protects nothing,
 * reopen. */
bool agent_lock_in_place(const struct agent_lock *lock, int agent_fd);

#endif
