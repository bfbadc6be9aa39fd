/* known_records.h - which turns of a coding agent are already in the project's logs.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Read through kaizen.query/1.  A hook may have recorded a turn under another agent's name, or,
 * where the host has no ids, under another key: so a turn is looked for by its own id and by its
 * time.  A record that is a turn by its id is no other turn by its time. */
#ifndef KAIZEN_HOST_KNOWN_RECORDS_H
#define KAIZEN_HOST_KNOWN_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/session.h"

struct known_record {
  uint64_t session, turn; /* fingerprints of the session's id, and of the key after it; 0: none */
  uint64_t agent;
  int64_t unix_s;
  bool is_taken; /* a turn was found to be this record */
};
struct known_turn {
  uint64_t turn;
  struct known_record *record;
};
struct known_records {
  struct known_record *list; /* sorted by session and time */
  struct known_turn *turns;  /* sorted */
  size_t count, room, turn_count;
  bool no_memory;
};

/* Those at or after `since_ns`.  -1: a log cannot be read, so that its turns are unknown. */
int known_records_read(struct session *session, int64_t since_ns, struct known_records *known,
                       struct problem *problem);
/* Is the turn with this id there?  `tail` is the key without "HOST:SESSION:".  The record is taken:
 * to be called for every turn before any is looked for by its time. */
bool known_records_take_id(struct known_records *known, const char *session, const char *tail);
bool known_records_take(struct known_records *known, const char *session, const char *tail,
                        const char *agent, int64_t ended_ns);
void known_records_free(struct known_records *known);

#endif
