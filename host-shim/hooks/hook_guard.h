/* hook_guard.h - keeps a hook within its limits: in time, status 0, nothing on standard output.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Status 2 means "go on" to several hosts, standard output is where they look for decisions, and
 * some end a hook after 1.5 s. So the work is done in a child of this process, which only waits for
 * it and then ends with status 0: whatever the worker has loaded may hang, crash or call exit(). */
#ifndef KAIZEN_HOST_HOOK_GUARD_H
#define KAIZEN_HOST_HOOK_GUARD_H

enum hook_guard_side {
  HOOK_GUARD_WORKER,  /* the child: does the work */
  HOOK_GUARD_DONE,    /* the parent, once the worker has ended */
  HOOK_GUARD_LATE,    /* the same: it had to be ended after 900 ms */
  HOOK_GUARD_CRASHED, /* the same: it was ended by a signal */
  /* the same: the host asked this process to end; the worker goes on till its deadline */
  HOOK_GUARD_LEFT
};
/* What is left of the time a hook may take. */
enum hook_guard_phase { HOOK_GUARD_READ, HOOK_GUARD_FLUSH };

/* First of all: the three standard descriptors are there, standard output leads nowhere, HOME is
 * set when the user has one, the clock runs, and there are two processes (one, as the worker, when
 * no second is available). */
enum hook_guard_side hook_guard_begin(void);
/* When the phase has to be over (time_text_monotonic_s()). */
double hook_guard_deadline_s(enum hook_guard_phase phase);

#endif
