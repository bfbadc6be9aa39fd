/* hook_guard.h - keeps a hook within its limits: on time, status 0, nothing on standard output.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Status 2 means "go on" to several hosts, standard output is where they look for decisions, and
 * some end a hook after 1.5 s. So a child of this process does the work, and this process only
 * waits for it and then ends with status 0: what the worker has loaded may hang, crash or call
 * exit(). */
#ifndef KAIZEN_HOST_HOOK_GUARD_H
#define KAIZEN_HOST_HOOK_GUARD_H

enum hook_guard_side {
  HOOK_GUARD_WORKER,  /* the child: does the work */
  HOOK_GUARD_DONE,    /* the parent, once the worker has ended */
  HOOK_GUARD_LATE,    /* the same: the worker was ended after 900 ms */
  HOOK_GUARD_CRASHED, /* the same: a signal ended the worker */
  /* the same: the host asked this process to end; the worker runs until its deadline */
  HOOK_GUARD_LEFT
};
/* What is left of the time a hook may take. */
enum hook_guard_phase { HOOK_GUARD_READ, HOOK_GUARD_FLUSH };

/* To be called first: opens the standard descriptors that are closed, sends standard output to
 * /dev/null, sets HOME when the user has one, starts the clock, and makes the second process (when
 * that is impossible, this one is the worker). */
enum hook_guard_side hook_guard_begin(void);
/* When the phase must end (time_text_monotonic_s()). */
double hook_guard_deadline_s(enum hook_guard_phase phase);

#endif
