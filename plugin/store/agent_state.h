/* agent_state.h - `.state`: the little of an agent's folder that cannot be rebuilt from its log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the broker acknowledged (a content anchor: ids, not inode and offset), what is held, the
 * retention clock.  Two pages of 4096 bytes written in turn, each with sequence number and
 * checksum: a torn write costs the newer, never both. Every call is made under the agent's lock
 * (agent_lock_exclusive; for load, shared is enough). */
#ifndef KAIZEN_AGENT_STATE_H
#define KAIZEN_AGENT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define AGENT_STATE_RECENT 64
#define AGENT_STATE_MARKS 96

struct agent_state_mark { /* the cursor as it was at a time, for resending what came after it */
  int64_t time_s;
  unsigned char id[16];
};

struct agent_state {
  uint64_t sequence;            /* of the stored page; raised by store */
  uint64_t epoch;               /* raised when somebody other than the publisher moved the cursor */
  unsigned char project_id[16]; /* project_identity() of the tree this belongs to */
  /* The cursor: every marked line up to it is acknowledged, dead-lettered or held. */
  uint64_t cursor_end;    /* hint: offset behind its line's newline; 0: before the first */
  uint64_t cursor_marked; /* marked lines in the log up to it */
  uint32_t recent_count;
  /* the ids up to the cursor, newest first; [0] is the anchor */
  unsigned char recent[AGENT_STATE_RECENT][16];
  /* Held: marked lines after held_from up to held_to; count 0: none. */
  uint64_t held_count, held_from_end, held_from_marked;
  unsigned char held_from_id[16]; /* zero: from the beginning */
  int64_t retention_clock_s;      /* 0: not yet set */
  int64_t retention_read_s;       /* what the wall clock said when that was last looked at */
  uint64_t dead_lettered;   /* distinct ids in .dead-letter.jsonl whose lines are in the log */
  uint64_t lost_by_rewrite; /* marked lines a foreign rewrite took before they were acknowledged */
  uint64_t store_lost;      /* acknowledgements that show that the stream lost its store */
  uint64_t last_stream_seq;
  int64_t last_acknowledged_unix_ns;
  uint32_t mark_count;                              /* newest first */
  struct agent_state_mark marks[AGENT_STATE_MARKS]; /* one a quarter of an hour: a day */
};

/* 0; 1 when there is none that can be trusted (missing, or both pages damaged; *damaged); -1 with
 * *error. */
int agent_state_load(int agent_fd, struct agent_state *state, bool *damaged, struct error *error);
/* Writes the older page; sync: fdatasync, and the folder when the file is new. */
int agent_state_store(int agent_fd, struct agent_state *state, bool sync, struct error *error);
/* fdatasync of what was stored without: the one call that needs no lock, so that nobody waits for
 * the disk under it. */
int agent_state_sync(int agent_fd, struct error *error);

/* Of a log that another program rewrote, which holds `marked` marked lines up to the cursor: how
 * many of the held ones are left.  *state still has the cursor of the log before. */
void agent_state_recount_held(struct agent_state *state, uint64_t marked);

struct fold;
/* The state to go on with, under the exclusive lock, `fold` covering the whole log: loaded when it
 * belongs to `project_id`; else made, with every marked line the log holds now held (a copied,
 * restored or cloned tree must not send its history again), and stored.  *changed when it was. */
int agent_state_claim(int agent_fd, const unsigned char project_id[16], const struct fold *fold,
                      bool sync, struct agent_state *state, bool *changed, struct error *error);

#endif
