/* survey_memory.h - what is remembered from one look at all agents of a project to the next.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * It holds which agents had nothing pending, and what their files looked like then: two fstatat()
 * show that this is still so, and a count that ran out of time gets further the next time.  It also
 * holds the locks for which a wait failed a moment ago: the next caller only tries them.  Any
 * thread. */
#ifndef KAIZEN_SURVEY_MEMORY_H
#define KAIZEN_SURVEY_MEMORY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/name_table.h"
#include "store/agent_view.h"
#include "store/outbox_glance.h"

struct settled_agent { /* each of its marked lines is acknowledged */
  uint64_t acknowledged;
  int64_t last_acknowledged_unix_ns;
};

enum { SURVEY_MEMORY_VAIN = 1024 };
struct vain_wait { /* for the lock of an agent, by a hash of its name */
  uint64_t name;
  int64_t until_ns; /* nobody waits for it again */
};

struct survey_memory {
  pthread_mutex_t mutex; /* of what follows, except the last */
  struct name_table settled;
  unsigned char project_id[16]; /* of the tree in which they were settled */
  struct vain_wait vain[SURVEY_MEMORY_VAIN];
  atomic_int_fast64_t waited_in_vain_ns; /* the last of them */
};

void survey_memory_init(struct survey_memory *memory);
void survey_memory_fini(struct survey_memory *memory);

/* For a second after that, an agent's lock is only tried. */
void survey_memory_waited_in_vain(struct survey_memory *memory, const char *agent);
bool survey_memory_was_in_vain(struct survey_memory *memory, const char *agent);
/* For a caller that reads agents one by one: until when to wait for the next lock; `patience_ns`
 * long or, after a wait for another one failed, hardly at all. */
int64_t survey_memory_patience(struct survey_memory *memory, int64_t patience_ns);

/* One walk over all agents.  The first of them are always read: that is quick enough. */
struct survey_walk {
  struct survey_memory *memory; /* NULL: all are read */
  int metrics_fd;
  unsigned seen;
  bool has_glance;
  struct outbox_glance glance; /* of the present agent, from before it is read */
};
void survey_memory_begin(struct survey_walk *walk, struct survey_memory *memory,
                         const struct project *project);
/* Steps to the next agent.  True when it is known without reading it: *found. */
bool survey_memory_next(struct survey_walk *walk, const char *agent, struct settled_agent *found);
/* The result of reading it. */
void survey_memory_keep(struct survey_walk *walk, const char *agent, const struct agent_view *view);
void survey_memory_end(struct survey_walk *walk);

#endif
