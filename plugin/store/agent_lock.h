/* agent_lock.h - an agent's .lock: exclusive for writers of its log and state, shared for readers
 * of committed bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * flock(2) on the agent folder's `.lock`.  All who wait, readers and writers, queue at a turnstile
 * (`.next`), so that a process that comes again and again cannot starve the others.  For a moment
 * after it passed the turnstile, a process may take a free lock without it.  The protocol other
 * programs may adopt is in docs/format.md.  No other file opens `.lock` or `.next`.
 *
 * A child that was forked within a call keeps the locks of a parent that was killed.  A process
 * that waits checks for that now and then (base/os_lock_keeper.h): a writer then replaces the file;
 * a reader, which writes nothing, goes on without the lock. */
#ifndef KAIZEN_AGENT_LOCK_H
#define KAIZEN_AGENT_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct agent_lock {
  int agent_fd;         /* the caller's */
  int lock_fd, next_fd; /* -1: closed */
  dev_t device;         /* of the lock file, to be compared with the file of that name later */
  ino_t inode;
  int64_t passed_ns; /* CLOCK_MONOTONIC: when it last passed the turnstile */
  int64_t looked_ns; /* when it last looked up who keeps it */
  bool unsettled;    /* it replaced a file whose lock somebody may still hold */
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
/* For a reader that may not be allowed to write: opens what is there and takes the shared lock.  A
 * folder without these files has no writer that knows us, and nothing is locked.  0, then release
 * and close follow; -1 with *error, KAIZEN_E_BUSY when the deadline passed. */
int agent_lock_read(struct agent_lock *lock, int agent_fd, int64_t deadline_ns,
                    struct error *error);
/* directory_is_file() of the lock file. */
bool agent_lock_is_ours(const struct agent_lock *lock);
/* False when the lock file was removed or replaced under its name: the lock then protects nothing,
 * reopen. */
bool agent_lock_in_place(const struct agent_lock *lock, int agent_fd);

#endif
