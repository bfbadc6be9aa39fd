/* names.h - texts that occur often, stored once each and known by a number.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_NAMES_H
#define KAIZEN_HOST_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

struct names {
  char **texts; /* texts[0] is "": the name of things without one */
  size_t count, room;
  uint32_t *slots; /* a hash table of numbers; 0: free */
  size_t slot_count;
};

/* The text's number, 0 for an empty one; UINT32_MAX without memory. */
uint32_t names_number(struct names *names, struct span text);
const char *names_text(const struct names *names, uint32_t number);
void names_free(struct names *names);

#endif
