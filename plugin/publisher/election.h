/* election.h - which process, and in it which publisher, sends the events of a project.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * An fcntl record lock on byte 0 of .kaizen/metrics/.publisher.lock: it belongs to the process, so
 * it ends with it, and no child inherits it.  A process that is ready to take over holds a shared
 * lock on byte 1, so that a holder that cannot publish knows whether giving up would help.
 *
 * Such a lock has two gaps, which are closed here.  First, closing any descriptor of that file
 * drops the locks of the whole process, also when the host does it while it copies its project: so
 * the lock is asserted again before it is relied on.  Second, it does not keep out another copy of
 * this library in the same process: so the file names its holder, and a copy that finds another one
 * there stands by.  In between two may send the same events under the same ids; the cursor
 * (store/cursor.h) lets only one of them store its progress.  Any thread. */
#ifndef KAIZEN_ELECTION_H
#define KAIZEN_ELECTION_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "store/project.h"

struct election;

/* The process's one object for this project root; NULL when memory runs out. */
struct election *election_join(const struct project *project);
void election_leave(struct election *election, const void *who); /* gives up what `who` has */

/* 0: `who` is elected (again: also tells that the lock file still is the one of that name); 1:
 * somebody else is, *holder which process; -1 with *error. */
int election_stand(struct election *election, int metrics_fd, const void *who, pid_t *holder,
                   struct error *error);
/* Does `who` still have the lock?  If it was dropped and is free, it is taken again.  False: `who`
 * has lost the election; what was acknowledged since must not be stored. */
bool election_assert(struct election *election, const void *who);
void election_resign(struct election *election, const void *who);
/* States that `who` is ready to take over, or not any more. */
void election_want(struct election *election, const void *who, bool want);
/* Is anybody else ready to take over? */
bool election_wanted(struct election *election, const void *who);
/* Who holds the lock now, 0: nobody. */
pid_t election_holder(struct election *election);
/* The same for a caller that takes no part in the election: 0 nobody, -1 a process of another pid
 * namespace.  Writes nothing. */
pid_t election_ask(const struct project *project);

#endif
