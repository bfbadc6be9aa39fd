/* hook_transcript.h - whether the last turn of a session failed, according to the host's
 * transcript.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_TRANSCRIPT_H
#define KAIZEN_HOST_HOOK_TRANSCRIPT_H

#include "hooks/hook_event.h"

/* True when the end of the transcript that the payload names says so; `error` is then its word for
 * the error, or "". False also when there is no transcript, or it was not read by the deadline
 * (time_text_monotonic_s()). */
bool hook_transcript_failed(const struct hook_event *event, double deadline_s,
                            char error[HOOK_WORD_MAX + 1]);
/* Fills in how the turn `id` ended, when that transcript has it; left as it is when there is none.
 * False: it is not a run.  Either the turn is not in it, but another thread's; or it ended before
 * the model was asked, because a hook refused the prompt. */
bool hook_transcript_settle(const char *id, double deadline_s, struct hook_event *event);

#endif
