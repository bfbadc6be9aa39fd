/* history.h - the turns in a coding agent's transcripts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HISTORY_H
#define KAIZEN_HOST_HISTORY_H

#include "usage/transcript.h"

struct history_turn { /* texts are "" when they are not known */
  char session[HOOK_ID_MAX + 1], turn[HOOK_ID_MAX + 1], agent_id[HOOK_ID_MAX + 1];
  char agent_name[HOOK_TEXT_MAX + 1]; /* of a subagent */
  char version[HOOK_WORD_MAX + 1], error[HOOK_WORD_MAX + 1], model[HOOK_WORD_MAX + 1];
  int64_t begun_ns, ended_ns;
  /* COMPLETED, FAILED, ABORTED; ANSWER: ended, and the host does not say how */
  enum transcript_step outcome;
  struct usage_tokens tokens;
  int64_t tool_errors; /* USAGE_NOT_SAID when the host does not record them */
  bool is_repeated;    /* another of the turns is this one: a forked session repeats its parent's */
};

struct history {
  const struct transcript_format *format;
  /* Is this folder part of the project?  Asked once for each folder in a row. */
  bool (*is_ours)(void *ctx, const char *folder);
  void *ctx;
  int64_t since_ns; /* turns that ended before this are left out */
  int64_t now_ns;
  struct history_turn *turns;
  size_t count, room;
  uint64_t elsewhere;  /* turns of other projects */
  uint64_t unfinished; /* turns without an end: still open, or the program was killed */
  uint64_t copied;     /* turns of the session that a session was forked from */
  uint64_t nameless;   /* runs of subagents without a name, which are the host's own */
  bool no_memory;
};

/* Adds the turns of one file.  `folder` is the project's when the file does not say it, or NULL.
 * -1: it cannot be read to its end; the turns before that are kept. */
int history_read(struct history *history, const char *path, const char *folder, bool is_agents_own,
                 struct problem *problem);
/* Finds the turns that several files have, and sets is_repeated in all but the oldest of each. */
void history_find_repeated(struct history *history);
/* HOST:SESSION:TURN, as the hooks make it (hook_identity.h). */
enum { HISTORY_KEY_MAX = 4 * (HOOK_ID_MAX + 1) };
void history_key(const struct history *history, const struct history_turn *turn,
                 char key[HISTORY_KEY_MAX]);
void history_free(struct history *history);

#endif
