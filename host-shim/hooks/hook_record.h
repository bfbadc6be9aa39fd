/* hook_record.h - records an event of a coding agent through the plugin, within a hook's time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_RECORD_H
#define KAIZEN_HOST_HOOK_RECORD_H

#include "hooks/hook_event.h"
#include "hooks/hook_identity.h"
#include "host/command.h"

extern const struct option_spec hook_record_options[];

/* Changes to the folder where the search for the project begins: the one that the host's variable
 * names, else the payload's folder; stays when neither can be entered. -1, with a message: nothing
 * names a folder, and this is a settings folder of the user's, where some hosts run their hooks. */
int hook_record_enter(const struct hook_event *event);
/* Records an end event, then sends what is pending while there is time. The result goes to the log.
 * `tests`: the state of the test run that may follow a new record (hook_tests.h); NULL: none
 * follows. */
void hook_record_execution(const struct host *host, const struct hook_event *event,
                           const struct hook_identity *identity, const struct hook_state *tests);
/* Only sends what is pending. */
void hook_record_flush(const struct host *host);

#endif
