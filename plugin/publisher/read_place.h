/* read_place.h - the place in an agent's log up to which it was read for sending.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_READ_PLACE_H
#define KAIZEN_READ_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/agent_state.h"
#include "store/outbox.h"

/* Where reading stopped, and how to recognise the same file: by content, because inode numbers are
 * reused. */
struct read_place {
  bool known;
  uint64_t epoch;              /* of the cursor it was taken from */
  unsigned char passed_id[16]; /* the line up to which everything is acknowledged or refused */
  dev_t device;
  ino_t inode;
  uint64_t read_end;  /* everything before is in the window, acknowledged or not marked */
  uint64_t tail_hash; /* of the bytes before read_end */
  uint64_t last_end;  /* the last marked line before read_end, 0: none */
  unsigned char last_id[16];
};

/* Notes the bytes before place->read_end. */
int read_place_mark(struct read_place *place, const struct outbox *outbox, struct error *error);
/* 0 when the log before the place is what it was when it was read, 1 when not, -1 with *error. */
int read_place_holds(const struct read_place *place, const struct outbox *outbox,
                     struct error *error);

struct read_place_finding {
  uint64_t unacknowledged; /* given: events that waited when the log was found rewritten */
  bool sync;               /* given: what is stored is made durable */
  uint64_t lost;           /* how many of them are not in the log any more */
  bool held;               /* the log does not show what was sent: what may have been is held
                            * back */
};
/* After the newest line of `state` that the log holds; where that is not where .state says, stores
 * what the log says instead.  1: the lock was not free, or something changed meanwhile; -1 with
 * *error. */
int read_place_find(struct read_place *place, struct outbox *outbox,
                    const struct agent_state *state, struct read_place_finding *finding,
                    struct error *error);

#endif
