/* agent_fold.h - an agent's log, folded to its end under the agent's lock.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What was appended since, also by others, is folded; a torn last line is ended; a log that was
 * replaced or rewritten is folded again.  One thread at a time. */
#ifndef KAIZEN_AGENT_FOLD_H
#define KAIZEN_AGENT_FOLD_H

#include "store/agent.h"

enum {
  /* of agent_fold_refresh(): a program without our lock appends all the time */
  AGENT_FOLD_GROWS = 2,
  /* within agent_fold_acquire(): there is more to fold than others should wait for */
  AGENT_FOLD_TURN
};

/* Opens what is not open, takes the lock, makes sure that it and the log are still the files of
 * those names, folds what others appended.  When it answers 0, agent->anchor.end is the size of the
 * log and its last byte a newline. 1: the lock was not free until the deadline; -1 with *error,
 * E_BUSY when the files were replaced, or the log grew, until then.  In both cases the lock is not
 * held.  A long fold releases the lock now and then; only the time spent waiting for it counts. */
int agent_fold_acquire(struct agent *agent, int64_t deadline_ns, struct error *error);

/* The rest under the lock. */
/* What agent_fold_acquire() does once it has the lock: folds whatever came since.  1: the files
 * were replaced under their names, release and acquire again; AGENT_FOLD_GROWS: the log has not
 * been folded to its end, acquire again to give others their turn; -1 with *error. */
int agent_fold_refresh(struct agent *agent, struct error *error);
/* After a rewrite of our own, lock still held: the next process finds the new log folded, and does
 * not take it for somebody else's.  After a failure it folds the log again. */
void agent_fold_follow_rewrite(struct agent *agent);
/* ---- a log that will take the place of the agent's, and an index for it, in a folder of their
 * own: both are made while others record. The descriptors stay the caller's. */
int agent_fold_beside_begin(struct agent *beside, const struct agent *agent, int folder_fd,
                            int log_fd, struct error *error);
/* Folds it up to `end`, its size, and stores the checkpoint. */
int agent_fold_beside(struct agent *beside, uint64_t end, struct error *error);
void agent_fold_beside_end(struct agent *beside);

#endif
