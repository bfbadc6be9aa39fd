/* name_table.h - a value for each of many names.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Only a 64-bit hash of each name is kept: two names with the same hash would share a value.  Names
 * are added, and forgotten all at once.  One thread at a time. */
#ifndef KAIZEN_BASE_NAME_TABLE_H
#define KAIZEN_BASE_NAME_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

struct name_table {   /* zeroed except for value_bytes: empty */
  size_t value_bytes; /* a multiple of 8 */
  size_t count, room; /* room: a power of two */
  uint64_t *places;
};

/* NULL: the name is not there.  A value stays in its place until the next name is put. */
void *name_table_find(const struct name_table *table, struct span name);
/* The same value when the name is there, else a zeroed one.  NULL: out of memory, and nothing has
 * changed. */
void *name_table_put(struct name_table *table, struct span name);
void name_table_fini(struct name_table *table); /* empty again */

#endif
