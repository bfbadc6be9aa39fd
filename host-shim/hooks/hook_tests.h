/* hook_tests.h - the project's tests, run in the background after each turn.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A run is a process of its own, `kaizen-host exec AGENT-tests`, in a session of its own: it goes
 * on after the hook and after the coding agent. It holds a lock in the state folder, so that a turn
 * that ends meanwhile starts no second one. */
#ifndef KAIZEN_HOST_HOOK_TESTS_H
#define KAIZEN_HOST_HOOK_TESTS_H

#include "hooks/hook_state.h"
#include "host/command.h"
#include "host/session.h"

extern const struct option_spec hook_tests_options[];

/* Starts the command of --test-cmd, if there is one, for a turn of the session's project, unless it
 * is the turn that was tested last; `event` is for messages, which go to the log. */
void hook_tests_start(const struct host *host, const struct hook_state *state,
                      const struct session *session, const struct kaizen_execution *turn,
                      const char *event);

#endif
