/* group_signals.h - whether a signal was sent to this process alone or to its whole process group.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * timeout(1), shells and process managers signal a group: the command then gets the signal itself,
 * and if we passed it on it would come twice. The kernel does not say which it was. So a second
 * process of ours, the witness, waits in the same group: a signal that it also gets was sent to
 * all. */
#ifndef KAIZEN_HOST_GROUP_SIGNALS_H
#define KAIZEN_HOST_GROUP_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

struct group_signals {
  pid_t witness; /* -1: none, every signal counts as sent to us alone */
  int question;  /* a socket: a byte asks the witness, an uint64_t of signal bits answers */
  double last_s[NSIG];
};

/* The signals of the set must be blocked already. */
void group_signals_begin(struct group_signals *group, const sigset_t *watched);
/* True when the signal that just came was sent to the group. */
bool group_signals_has(struct group_signals *group, int number);
void group_signals_end(struct group_signals *group);

#endif
