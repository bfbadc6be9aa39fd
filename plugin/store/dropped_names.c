/* dropped_names.c - the names by which amendments may refer to the records that a rewrite leaves
 * out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/dropped_names.h"

#include <stdlib.h>

#include "base/hash.h"

#define FIRST_ROOM 64

/* Never 0, which is a free slot. */
static uint64_t hash_of(struct span name) {
  return hash_bytes(name.ptr, name.len, 0) | 1;
}

static size_t find_slot(const struct dropped_names *names, uint64_t hash) {
  size_t at = (size_t)(hash >> 1) & (names->room - 1);

  while (names->slots[at] != 0 && names->slots[at] != hash)
    at = (at + 1) & (names->room - 1);
  return at;
}

static bool grow(struct dropped_names *names) {
  struct dropped_names larger = {.room = names->room ? 2 * names->room : FIRST_ROOM};
  size_t i;

  larger.slots = calloc(larger.room, sizeof *larger.slots);
  if (!larger.slots)
    return false;
  for (i = 0; i < names->room; i++)
    if (names->slots[i] != 0)
      larger.slots[find_slot(&larger, names->slots[i])] = names->slots[i];
  larger.used = names->used;
  free(names->slots);
  *names = larger;
  return true;
}

static void add(struct dropped_names *names, struct span name) {
  uint64_t hash = hash_of(name);
  size_t at;

  if (2 * names->used >= names->room && !grow(names))
    return;
  at = find_slot(names, hash);
  names->used += names->slots[at] == 0;
  names->slots[at] = hash;
}

void dropped_names_add(struct dropped_names *names, const struct record *record) {
  struct buffer key = {0};

  if (record_key(record, &key) && !key.failed)
    add(names, buffer_span(&key));
  if (record->marked)
    add(names, (struct span){record->event_id, sizeof record->event_id - 1});
  buffer_fini(&key);
}

bool dropped_names_has(const struct dropped_names *names, struct json_value amends) {
  struct buffer name = {0};
  bool found = false;

  json_value_decode(amends, &name);
  if (names->room > 0 && !name.failed && name.len > 0) {
    uint64_t hash = hash_of(buffer_span(&name));

    found = names->slots[find_slot(names, hash)] == hash;
  }
  buffer_fini(&name);
  return found;
}

void dropped_names_fini(struct dropped_names *names) {
  free(names->slots);
  *names = (struct dropped_names){0};
}
