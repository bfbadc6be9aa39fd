/* publisher_place.h - the cursor: from .state to a place in the log, and what was acknowledged back
 * into .state.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The publisher's thread only. */
#ifndef KAIZEN_PUBLISHER_PLACE_H
#define KAIZEN_PUBLISHER_PLACE_H

#include "publisher/publisher_agent.h"

/* 0 when the log before agent->place is what it was when it was read, 1 when not, -1 with
 * *error. */
int publisher_place_holds(const struct publisher_agent *agent, struct error *error);
/* Takes down the bytes before agent->place.read_end. */
int publisher_place_mark(struct publisher_agent *agent, struct error *error);
/* Places the agent behind the newest line of `state` that the log holds; where that is not where
 * .state says, stores what the log says instead.  1: the lock was not free, or something changed
 * meanwhile; -1 with *error. */
int publisher_place_find(struct publisher_agent *agent, const struct agent_state *state,
                         struct error *error);
void publisher_progress_drop(struct publisher_agent *agent);

#endif
