/* hook_guard.h - the manners of a hook: it ends in time, with status 0, and says nothing on
 * standard output.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Status 2 means "go on" to several hosts, standard output is where they look for decisions, and
 * some end a hook after 1.5 s. From hook_guard_begin() on, this process ends with status 0 whatever
 * happens: by itself, by its deadline, by a signal, or by a crash of anything it has loaded. */
#ifndef KAIZEN_HOST_HOOK_GUARD_H
#define KAIZEN_HOST_HOOK_GUARD_H

/* What is left of the time a hook may take. */
enum hook_guard_phase { HOOK_GUARD_READ, HOOK_GUARD_FLUSH };

/* First of all: the three standard descriptors are there, standard output leads nowhere, HOME is
 * set when the user has one, and the clock runs. */
void hook_guard_begin(void);
/* When the phase has to be over (time_text_monotonic_s()). */
double hook_guard_deadline_s(enum hook_guard_phase phase);

#endif
