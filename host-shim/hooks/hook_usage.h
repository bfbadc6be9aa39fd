/* hook_usage.h - what a turn used, from the transcript that the payload names.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * At a turn's start the transcript's length is remembered; at its end everything after it is read:
 * numbers and model names, if the file is the user's own and the time of a hook allows it. What
 * cannot be read in time is left out, never given as 0. */
#ifndef KAIZEN_HOST_HOOK_USAGE_H
#define KAIZEN_HOST_HOOK_USAGE_H

#include "hooks/hook_event.h"
#include "hooks/hook_state.h"
#include "usage/usage.h"

/* A turn starts.  When it is reported again under the host's own name for the turn, the first time
 * counts. */
void hook_usage_begin(const struct hook_state *state, const struct hook_event *event);
/* A turn or a subagent's run ended; `key` is its idempotency key.  *usage is filled as far as
 * possible by `deadline_s` (time_text_monotonic_s()), and usage_free() takes it. */
void hook_usage_end(const struct hook_state *state, const struct hook_event *event, const char *key,
                    double deadline_s, struct usage *usage);

#endif
