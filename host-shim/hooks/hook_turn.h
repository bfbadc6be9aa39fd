/* hook_turn.h - which turn of a session an event belongs to, and when that turn began.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Most coding agents do not number their turns, and fire an event again when two configurations ask
 * for it or when a session is resumed. One small file a session (or a subagent's run in it) keeps:
 * the turn that is open and since when, and the last 256 turns that ended, each with its name and
 * two marks (hook_state_mark()) of what was asked and answered. A turn is named by the event that
 * starts it; an end without a start is the last turn's again, a repeated one's when a resumed
 * session replays it, or else a new turn.
 *
 * Files are locked while they are looked at, so that parallel hooks of one event agree on the
 * name. */
#ifndef KAIZEN_HOST_HOOK_TURN_H
#define KAIZEN_HOST_HOOK_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "hooks/hook_state.h"

enum { HOOK_TURN_NAME_MAX = 32 };

struct hook_turn_lane { /* what is numbered: all of them borrowed */
  const char *host, *session;
  const char *agent; /* a subagent's own turns; NULL: the session's */
  bool runs_once;    /* there is usually one turn, named HOOK_TURN_ONLY, lost file or not */
};
#define HOOK_TURN_ONLY "1"

/* A turn begins. `asked` is the mark of what was asked, or 0; `name` the host's own name for the
 * turn, or NULL: a number is made. -1: cannot be remembered. */
int hook_turn_start(const struct hook_state *state, const struct hook_turn_lane *lane,
                    uint64_t asked, const char *name);
/* The session is taken up again: what ended before may be replayed. */
int hook_turn_resume(const struct hook_state *state, const struct hook_turn_lane *lane);

struct hook_turn_end {
  uint64_t answered;             /* in: mark of the answer, or 0 */
  bool is_continued;             /* in: the host says that the turn went on after an earlier end */
  const char *own_name;          /* in: what the event itself offers as a name, or NULL */
  char name[HOOK_TURN_NAME_MAX]; /* out */
  double elapsed_s;              /* out: since the start; 0 when it is not known */
};
/* A turn ended.  -1: cannot be told; `name` is then empty. */
int hook_turn_end(const struct hook_state *state, const struct hook_turn_lane *lane,
                  struct hook_turn_end *end);
/* For hosts that name their turns themselves: seconds since the start with this mark, which is then
 * forgotten; 0 when it is not known. */
double hook_turn_take_start(const struct hook_state *state, const struct hook_turn_lane *lane,
                            uint64_t asked);

#endif
