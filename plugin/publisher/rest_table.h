/* rest_table.h - agents with nothing to do until their files change.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * For each it holds what its files looked like (outbox_glance.h) when it had nothing to send.
 * A look at all agents costs two fstatat() for each of these.  The publisher's thread only. */
#ifndef KAIZEN_REST_TABLE_H
#define KAIZEN_REST_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rest_place {
  uint64_t name, stamp; /* hashes; name 0: free */
  uint64_t token;       /* publisher_agent.h */
};

struct rest_table { /* zeroed: empty */
  struct rest_place *places;
  size_t room, count;
};

/* Is the agent at rest, and do its files look as they did? */
bool rest_table_has(const struct rest_table *table, const char *name, uint64_t stamp);
/* Without memory it stays unknown, and is looked at again. */
void rest_table_put(struct rest_table *table, const char *name, uint64_t stamp, uint64_t token);
uint64_t rest_table_token(const struct rest_table *table, const char *name); /* 0: not known */
void rest_table_fini(struct rest_table *table);                              /* empty again */

#endif
