/* dropped_names.h - the names by which amendments may refer to the records that a rewrite leaves
 * out.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Only hashes are kept: if two names had the same 64-bit hash, an amendment would be lost. */
#ifndef KAIZEN_DROPPED_NAMES_H
#define KAIZEN_DROPPED_NAMES_H

#include <stdbool.h>

#include "base/name_table.h"
#include "record/record.h"

struct dropped_names {      /* zero it first */
  struct name_table hashes; /* without values */
};

/* The record's key and event id.  Without memory its amendments stay. */
void dropped_names_add(struct dropped_names *names, const struct record *record);
bool dropped_names_has(const struct dropped_names *names, struct json_value amends);
void dropped_names_fini(struct dropped_names *names);

#endif
