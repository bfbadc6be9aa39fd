/* json_names.h - finds duplicate names in the objects of one text, in bounded memory and time.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * For json_reader.c. A fixed hash table holds (object, name) for every name seen. When a text has
 * more names than the table takes, it is read several times, each pass looking only at the names
 * of one residue of the hash. */
#ifndef KAIZEN_COMMON_JSON_NAMES_H
#define KAIZEN_COMMON_JSON_NAMES_H

#include <stdint.h>

#include "common/span.h"

enum {
  JSON_NAMES_SLOTS = 2048,
  JSON_NAMES_MAX = JSON_NAMES_SLOTS / 4 * 3,
  JSON_NAMES_PASSES_MAX = 64
};

struct json_names {
  const char *begin;     /* of the text; offsets are counted from here */
  uint32_t count;        /* of entries */
  uint32_t mask;         /* slots in use, less 1 */
  uint32_t pass, passes; /* passes: a power of two */
  /* index of an entry + 1; 0: free.  All that has to be cleared */
  uint16_t slots[JSON_NAMES_SLOTS];
  struct json_names_entry {
    uint32_t hash, object, name, len; /* object, name: offsets */
  } entries[JSON_NAMES_MAX];
};

enum json_names_result { JSON_NAMES_NEW, JSON_NAMES_DUPLICATE, JSON_NAMES_FULL };

/* Empty, for pass `pass` of `passes` over a text of `len` bytes (below 4 GiB). */
void json_names_start(struct json_names *names, const char *begin, size_t len, uint32_t pass,
                      uint32_t passes);
/* `name`: raw text between the quotes, checked; `object`: offset of the object it stands in. */
enum json_names_result json_names_add(struct json_names *names, uint32_t object, struct span name);

#endif
