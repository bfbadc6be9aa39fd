/* rewrite.h - an agent's log without some of its lines: a new file, put under the old name in one
 * step.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pruning and repair share it.  Copying a prefix needs no lock, since what is committed does not
 * change; beginning and finishing do, so that nobody else looks for a spare file meanwhile. */
#ifndef KAIZEN_REWRITE_H
#define KAIZEN_REWRITE_H

#include <stdbool.h>

#include "base/line_reader.h"
#include "record/record.h"
#include "store/agent.h"
#include "store/agent_state.h"
#include "store/dead_letter.h"

struct rewrite {
  struct agent *agent;
  struct agent_state state; /* as it was when the rewrite began; zeroed when there is none */
  bool has_state, sync;
  /* Is the line to be left out?  `record` is NULL for a line that is none.  1 yes, 0 no, -1 with
   * *error. */
  int (*leave_out)(void *ctx, const struct line *line, const struct record *record,
                   struct error *error);
  /* After lines were copied, which end at `new_size`: what has to follow before they may take the
   * old ones' place.  0 or -1 with *error. */
  int (*copied_up_to)(void *ctx, uint64_t new_size, struct error *error);
  void *ctx;
  uint64_t dropped;
  /* kept by this module */
  int spare_fd;
  struct buffer out;
  uint64_t copied; /* of the old log */
  uint64_t new_size;
  struct cursor_trail trail; /* where the cursor will be */
  struct dead_letter_ids letters;
};

/* Lock held.  The caller has filled agent, state, has_state, sync, the functions and ctx.  0 or -1
 * with *error. */
int rewrite_begin(struct rewrite *rewrite, struct error *error);
/* From where the last copy ended. */
int rewrite_copy(struct rewrite *rewrite, uint64_t end, struct error *error);
/* Lock held: copies the rest up to the agent's anchor, makes it durable, renames it, and writes the
 * new offsets into .state.  What a program without our lock appends meanwhile is folded and copied
 * too. */
int rewrite_replace(struct rewrite *rewrite, struct error *error);
/* False: another program removed or replaced the file that is being written, and a process may have
 * begun its own. */
bool rewrite_is_ours(const struct rewrite *rewrite);
/* In any case at the end: frees, and removes a file that was not finished. */
void rewrite_end(struct rewrite *rewrite);

/* Does the record carry this event id? */
bool rewrite_carries_id(const struct record *record, const unsigned char id[16]);

#endif
