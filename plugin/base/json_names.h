/* json_names.h - finds duplicate names in the objects of one text, in bounded memory and time.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * For json_reader.c.  A fixed hash table holds (object, name) for every name seen.  When a text has more names than the
 * table takes, it is read several times, each pass looking only at the names of one residue of the hash. */
#ifndef KAIZEN_BASE_JSON_NAMES_H
#define KAIZEN_BASE_JSON_NAMES_H

#include <stdint.h>

#include "base/buffer.h"

enum { JSON_NAMES_SLOTS = 2048, JSON_NAMES_PASSES_MAX = 64 };

struct json_names {
  const char *begin;     /* of the text; offsets are counted from here */
  uint32_t slots, used;  /* slots: a power of two */
  uint32_t pass, passes; /* passes: a power of two */
  struct json_names_entry {
    uint32_t hash, object, name, len; /* object: offset + 1; 0: free */
  } entries[JSON_NAMES_SLOTS];
};

enum json_names_result { JSON_NAMES_NEW, JSON_NAMES_DUPLICATE, JSON_NAMES_FULL };

/* Empty, for pass `pass` of `passes` over a text of `len` bytes (below 4 GiB). */
void json_names_start(struct json_names *names, const char *begin, size_t len, uint32_t pass, uint32_t passes);
/* `name`: raw text between the quotes, checked; `object`: offset of the object it stands in. */
enum json_names_result json_names_add(struct json_names *names, uint32_t object, struct span name);

#endif
