/* agent_lock.h - an agent's .lock: exclusive for writers of its log and state, shared for readers
 * of committed bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * flock(2) on the agent folder's `.lock`.  Everybody who waits, reader or writer, queues at a
 * turnstile (`.next`), so that nobody who comes again and again can starve the others; who records
 * in a loop may take a free lock past it for a moment after it went through.  The protocol other
 * programs may adopt is in docs/format.md.  No other file opens `.lock` or `.next`.
 *
 * A child that was forked within a call keeps the locks of a parent that was killed.  Who waits
 * looks for that now and then (base/os_lock_keeper.h): a writer then puts a new file in the place
 * of the old one, a reader, who writes nothing, passes. */
#ifndef KAIZEN_AGENT_LOCK_H
#define KAIZEN_AGENT_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct agent_lock {
  int agent_fd;         /* the caller's */
  int lock_fd, next_fd; /* -1: closed */
  dev_t device;         /* of the lock file, to be compared with what its name means later */
  ino_t inode;
  int64_t passed_ns; /* CLOCK_MONOTONIC: when it last went through the turnstile */
  int64_t looked_ns; /* when it was last asked who keeps it */
};

/* Opens (makes when missing) both files in the agent's folder, which stays open as long as they do.
 * 0 or -1 with *error. */
int agent_lock_open(struct agent_lock *lock, int agent_fd, struct error *error);
void agent_lock_close(struct agent_lock *lock);
/* Until the CLOCK_MONOTONIC deadline.  0, 1 when the deadline passed, -1 with *error. */
int agent_lock_exclusive(struct agent_lock *lock, int64_t deadline_ns, struct error *error);
int agent_lock_shared(struct agent_lock *lock, int64_t deadline_ns, struct error *error);
/* Before close, too: a child that was forked meanwhile has the files open and would keep it. */
void agent_lock_release(struct agent_lock *lock);
/* For a reader who may not be allowed to write: opens what is there and takes the shared lock.  A
 * folder without these files has no writer that knows us, and nothing is locked.  0, then release
 * and close follow; -1 with *error, KAIZEN_E_BUSY when the deadline passed. */
int agent_lock_read(struct agent_lock *lock, int agent_fd, int64_t deadline_ns,
                    struct error *error);
/* False when the lock file was removed or replaced under its name: the lock then protects nothing,
 * reopen. */
bool agent_lock_in_place(const struct agent_lock *lock, int agent_fd);

#endif
