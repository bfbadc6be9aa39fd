/* hook_turn.h - which turn of a session an event belongs to, and when that turn began.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Most coding agents do not number their turns, and send an event again when two configurations ask
 * for it or when a session is resumed; some report nothing about a turn that fails. One small file
 * per session (or per subagent's run in it) holds the turns that are open, since when, and an error
 * that was reported meanwhile; and the last 256 turns that ended, each with its name and two
 * fingerprints (hook_fingerprint.h) of what was asked and answered. A turn's name comes from its
 * end event, else it is a number. An end without a start belongs to the last turn, to a repeated
 * turn when a resumed session replays it, or else to a new turn.
 *
 * Files are locked while they are used, so that parallel hooks of one event agree on the name. */
#ifndef KAIZEN_HOST_HOOK_TURN_H
#define KAIZEN_HOST_HOOK_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hook_redact.h"
#include "hooks/hook_host.h"
#include "hooks/hook_state.h"

enum { HOOK_TURN_NAME_MAX = 32, HOOK_TURN_OPEN_MAX = 4 };

struct hook_turn_lane { /* what is numbered: all of them borrowed */
  const char *host, *session;
  const char *agent; /* a subagent's own turns; NULL: the session's */
  bool runs_once;    /* there is usually one turn, named HOOK_TURN_ONLY, even after the file was
                      * lost */
};
#define HOOK_TURN_ONLY "1"

struct hook_turn_start {
  const char *id;         /* the host's own id of the turn, or NULL */
  const char *stamp;      /* the host's own time of the event, or NULL */
  const char *agent_name; /* the subagent's, or "": kept for an end that does not have it */
  uint64_t asked;         /* fingerprint of what was asked, or 0 */
  bool is_blank;          /* nothing was asked: an open turn continues */
  bool may_overlap;       /* other turns may be open at the same time */
};
struct hook_turn_lost {          /* a turn that was opened and never ended */
  char name[HOOK_ID_MAX + 1];    /* the host's own id, else the name it was given */
  char error[HOOK_WORD_MAX + 1]; /* that was reported meanwhile, or "" */
};
struct hook_turn_losses {
  struct hook_turn_lost turns[HOOK_TURN_OPEN_MAX];
  size_t count;
};

/* A turn begins; nothing changes when it is reported again. *losses: the turns that must have ended
 * without a report, as far as `unheard` asks for them. -1: cannot be remembered. */
int hook_turn_begin(const struct hook_state *state, const struct hook_turn_lane *lane,
                    const struct hook_turn_start *start, enum hook_unheard unheard,
                    struct hook_turn_losses *losses);
/* The session has ended, or is resumed: nothing is open any more. */
int hook_turn_close(const struct hook_state *state, const struct hook_turn_lane *lane,
                    enum hook_unheard unheard, struct hook_turn_losses *losses);
/* An error in the open turn; how the turn ends will decide. */
int hook_turn_note_error(const struct hook_state *state, const struct hook_turn_lane *lane,
                         const char *error, const char *stamp);
/* The session is resumed: what ended before may be replayed. */
int hook_turn_resume(const struct hook_state *state, const struct hook_turn_lane *lane);

struct hook_turn_end {
  const char *id;                     /* in: the host's own id of the turn, or NULL */
  const char *stamp;                  /* in: the host's own time of the event, or NULL */
  uint64_t answered;                  /* in: fingerprint of the answer, or 0 */
  bool is_continued;                  /* in: the host says that the turn continued after an earlier
                                  * end */
  char name[HOOK_TURN_NAME_MAX];      /* out */
  char agent_name[HOOK_TEXT_MAX + 1]; /* out: from the start event, or "" */
  double elapsed_s;                   /* out: since the start; 0 when unknown */
};
/* A turn ended.  -1: which one is unknown; `name` is then empty. */
int hook_turn_finish(const struct hook_state *state, const struct hook_turn_lane *lane,
                     struct hook_turn_end *end);
/* For turns that the host names itself: seconds since the start with this id (NULL: of the only
 * open one), which is then forgotten; 0 when unknown. */
double hook_turn_take_start(const struct hook_state *state, const struct hook_turn_lane *lane,
                            const char *id);

#endif
