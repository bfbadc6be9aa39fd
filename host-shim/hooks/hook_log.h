/* hook_log.h - messages of hooks, in a file of bounded size: their output belongs to the host.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * hook.log in the state folder; beyond 128 KiB it becomes hook.log.1, which it replaces. Standard
 * error goes there, too, unless it is a terminal. */
#ifndef KAIZEN_HOST_HOOK_LOG_H
#define KAIZEN_HOST_HOOK_LOG_H

#include "hooks/hook_state.h"

/* Opens the file and sends standard error to it; state may be NULL or closed: every message is then
 * dropped. */
void hook_log_open(const struct hook_state *state, const char *host);
/* One line with the time, this process and the host. */
void hook_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The file, for a process that says there what goes wrong; borrowed. */
int hook_log_descriptor(void);

/* Remembers, for doctor, that an event of this host arrived. */
void hook_log_fired(const struct hook_state *state, const char *host, const char *event);
/* When and what last arrived, as "2026-01-02T03:04:05Z EVENT"; -1 when nothing is known. */
int hook_log_last_fired(const struct hook_state *state, const char *host, char *text, size_t room);

#endif
