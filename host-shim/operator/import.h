/* import.h - turns from a coding agent's transcripts into the project's logs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_IMPORT_H
#define KAIZEN_HOST_IMPORT_H

#include "operator/replay.h"
#include "usage/history.h"

struct import_agent { /* what was recorded of one */
  char name[KAIZEN_NAME_MAX + 1];
  uint64_t turns, failed;
  uint64_t tokens, with_tokens;
};
struct import {
  struct session *session;
  const char *host;
  const char *agent; /* --agent, or NULL */
  bool takes_aborted;
  struct history history;
  uint64_t files, unreadable; /* transcripts, and how many could not be read to their end,
                               * or folders not at all */
  uint64_t recorded_before;   /* turns that are already in the logs */
  uint64_t aborted;           /* left out */
  int64_t first_ns, last_ns;  /* of the turns handed over */
  struct import_agent *agents;
  size_t agent_count, agent_room;
  struct replay replay;
};

/* Reads the transcripts.  -1: no home folder, no memory; a transcript that cannot be read is
 * counted and reported. */
int import_collect(struct import *import, struct problem *problem);
/* Records what is new, oldest first.  -1: the plugin failed. */
int import_record(struct import *import, uint32_t exec_flags, struct problem *problem);
/* Prints the result; answers the exit status. */
int import_report(const struct import *import);
void import_close(struct import *import);

#endif
