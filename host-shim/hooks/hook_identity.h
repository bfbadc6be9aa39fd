/* hook_identity.h - the idempotency key and the duration of an execution that a host reports.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The key is HOST:SESSION:TURN, HOST:SESSION:SUBAGENT:TURN for a subagent, made from the host's own
 * ids; where it has none for a turn, from the time of the event that ends it, or from the name that
 * hook_turn.h keeps for it. */
#ifndef KAIZEN_HOST_HOOK_IDENTITY_H
#define KAIZEN_HOST_HOOK_IDENTITY_H

#include "hooks/hook_event.h"
#include "hooks/hook_state.h"
#include "hooks/hook_turn.h"

struct hook_identity {
  char key[4 * (HOOK_ID_MAX + 1)]; /* "": there is nothing to make one from */
  double elapsed_s;                /* since the start event; 0 when unknown */
};

/* A start event: when, and what it begins.  `state` NULL: nothing can be remembered. */
void hook_identity_begin(const struct hook_state *state, const struct hook_event *event,
                         struct hook_turn_losses *losses);
/* An error that the host may recover from. */
void hook_identity_note_error(const struct hook_state *state, const struct hook_event *event);
/* A session starts; it may repeat what it did before. */
void hook_identity_resume(const struct hook_state *state, const struct hook_event *event);
/* A session ends. What the host's transcript says is read by the deadline
 * (time_text_monotonic_s()). */
void hook_identity_close(const struct hook_state *state, const struct hook_event *event,
                         double deadline_s, struct hook_turn_losses *losses);
/* An end event. A subagent's name that only its start had is put into the event. */
void hook_identity_end(const struct hook_state *state, struct hook_event *event,
                       struct hook_identity *identity);
/* A lost turn: its failure, in the form of the end event that never came. */
void hook_identity_lose(const struct hook_event *seen, const struct hook_turn_lost *lost,
                        struct hook_event *event, struct hook_identity *identity);

#endif
