/* agent_table.h - the agents of a project that its publisher has something to do for, by name and
 * in turn.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Of a hundred thousand agents few have events in flight.  The others are at rest (rest_table.h),
 * so that a walk over the table visits only these few.  The publisher's thread only. */
#ifndef KAIZEN_AGENT_TABLE_H
#define KAIZEN_AGENT_TABLE_H

#include "publisher/publisher_agent.h"

struct agent_table {                    /* zeroed: empty */
  struct publisher_agent *first, *last; /* linked by `next` */
  struct publisher_agent **buckets;     /* linked by `next_in_bucket` */
  size_t bucket_count, count;
};

struct publisher_agent *agent_table_find(const struct agent_table *table, const char *name);
/* At the end.  -1: out of memory. */
int agent_table_add(struct agent_table *table, struct publisher_agent *agent);
void agent_table_remove(struct agent_table *table, struct publisher_agent *agent);
/* The first becomes the last. */
void agent_table_rotate(struct agent_table *table);
/* Empty, and nothing is kept; its agents are the caller's to free. */
void agent_table_fini(struct agent_table *table);

#endif
