/* rest_table.h - agents with nothing to do until their files change.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * For each it holds what its files looked like (outbox_glance.h) when it had nothing to send.
 * A look at all agents costs two fstatat() for each of these.  The publisher's thread only. */
#ifndef KAIZEN_REST_TABLE_H
#define KAIZEN_REST_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/name_table.h"

struct rest_table {
  struct name_table names;
};

void rest_table_init(struct rest_table *table); /* empty */

/* Is the agent at rest, and do its files look as they did? */
bool rest_table_has(const struct rest_table *table, const char *name, uint64_t stamp);
/* `token`: publisher_agent.h.  Without memory it stays unknown, and is looked at again. */
void rest_table_put(struct rest_table *table, const char *name, uint64_t stamp, uint64_t token);
uint64_t rest_table_token(const struct rest_table *table, const char *name); /* 0: not known */
void rest_table_fini(struct rest_table *table);                              /* empty again */

#endif
