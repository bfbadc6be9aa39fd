/* json_names.c - finds duplicate names in the objects of one text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common/json_names.h"

#include <string.h>

#include "common/json_value.h"

/* A member takes at least 5 bytes ("":0,), so a table of a third of the text is never more than
 * two thirds full. */
enum { BYTES_PER_SLOT = 3, SLOTS_MIN = 16 };

void json_names_start(struct json_names *names, const char *begin, size_t len, uint32_t pass,
                      uint32_t passes) {
  uint32_t slots = SLOTS_MIN;
  while (slots < JSON_NAMES_SLOTS && slots < len / BYTES_PER_SLOT)
    slots *= 2;
  names->begin = begin;
  names->count = 0;
  names->mask = slots - 1;
  names->pass = pass;
  names->passes = passes;
  memset(names->slots, 0, slots * sizeof names->slots[0]);
}

static uint32_t hash_name(uint32_t object, struct span name) {
  uint64_t hash = json_value_text_hash(name) + object * UINT64_C(0xD6E8FEB86659FD93);

  hash ^= hash >> 32;
  return (uint32_t)((hash * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

enum json_names_result json_names_add(struct json_names *names, uint32_t object, struct span name) {
  uint32_t hash = hash_name(object, name), slot = hash & names->mask;

  if ((hash >> 16 & (names->passes - 1)) != names->pass)
    return JSON_NAMES_NEW;
  for (; names->slots[slot]; slot = (slot + 1) & names->mask) {
    const struct json_names_entry *seen = &names->entries[names->slots[slot] - 1];

    if (seen->hash == hash && seen->object == object &&
        json_value_text_equal(name, (struct span){names->begin + seen->name, seen->len}))
      return JSON_NAMES_DUPLICATE;
  }
  if (names->count == JSON_NAMES_MAX)
    return JSON_NAMES_FULL;
  names->entries[names->count++] = (struct json_names_entry){
      hash, object, (uint32_t)(name.ptr - names->begin), (uint32_t)name.len};
  names->slots[slot] = (uint16_t)names->count;
  return JSON_NAMES_NEW;
}
