/* proof_kill.h - kills a process before its n-th system call.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PROOF_KILL_H
#define PROOF_KILL_H

#include <sys/types.h>

/* In the child, at the place from which calls are counted. */
void kill_wait_for_tracer(void);
/* In the parent: lets the child go on and counts the system calls of all its threads with one
 * counter.  SIGKILL before the one numbered `kill_at` (from 1; 0: never).  1 when it was killed so,
 * 0 when it ended by itself, -1 when it ended otherwise.  *count: calls it made. */
int kill_before_call(pid_t child, unsigned long kill_at, unsigned long *count);

#endif
