/* agent_state.h - `.state`: the little of an agent's folder that cannot be rebuilt from its log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The cursor (cursor.h), and the retention clock.  Two pages of 4096 bytes written in turn, each
 * with sequence number and checksum: a torn write costs the newer, never both.  Every call is made
 * under the agent's exclusive lock; for load shared is enough, and without the lock `damaged` may
 * only mean that it is being written. */
#ifndef KAIZEN_AGENT_STATE_H
#define KAIZEN_AGENT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/cursor.h"
#include "store/retention_clock.h"

#define AGENT_STATE_FILE ".state"

struct agent_state {
  uint64_t sequence;            /* of the stored page; raised by store */
  unsigned char project_id[16]; /* project_identity() of the tree this belongs to */
  struct cursor cursor;
  struct retention_clock retention;
  uint64_t lost_by_rewrite;         /* marked lines that a foreign rewrite removed before they were
                              * acknowledged */
  uint64_t store_lost;              /* acknowledgements that show that the stream lost its store */
  uint64_t last_stream_seq;         /* the newest event that a stream acknowledged, */
  uint64_t last_stream_hash;        /* which stream that was, 0: not known, */
  unsigned char last_stream_id[16]; /* and the event's id */
  int64_t last_acknowledged_unix_ns;
};

/* 0; 1 when there is none that can be trusted (missing, or both pages damaged; *damaged); -1 with
 * *error. */
int agent_state_load(int agent_fd, struct agent_state *state, bool *damaged, struct error *error);
/* Writes the older page; sync: fdatasync, and the folder when the file is new. */
int agent_state_store(int agent_fd, struct agent_state *state, bool sync, struct error *error);
/* fdatasync of what was stored without one: the one call that needs no lock, so that nobody waits
 * for the disk while it is held. */
int agent_state_sync(int agent_fd, struct error *error);

/* The state to continue with, under the exclusive lock, with a `fold` of the whole log.  Loaded
 * when it belongs to `project_id`; else made and stored, with every marked line of the log held
 * back: a copied, restored or cloned tree must not send its history again.  *changed when it
 * was. */
int agent_state_claim(int agent_fd, const unsigned char project_id[16], const struct fold *fold,
                      bool sync, struct agent_state *state, bool *changed, struct error *error);

/* When an event of this agent was last acknowledged, INT64_MAX: not known. */
int64_t agent_state_acknowledged_s(const struct agent_state *state);

#endif
