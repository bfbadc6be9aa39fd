/* name_table.c - a value for each of many names: open addressing, at most half full.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/name_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define FIRST_ROOM 64

/* Never 0, which is a free place. */
static uint64_t hash_of(struct span name) {
  uint64_t hash = hash_bytes(name.ptr, name.len, 0);

  return hash ? hash : 1;
}

/* A place is a hash, and after it the value. */
static uint64_t *place_at(const struct name_table *table, size_t at) {
  return table->places + at * (1 + table->value_bytes / sizeof(uint64_t));
}

/* Where the name is, or the free place for it. */
static uint64_t *find_place(const struct name_table *table, uint64_t hash) {
  size_t at = (size_t)hash & (table->room - 1);

  while (*place_at(table, at) != 0 && *place_at(table, at) != hash)
    at = (at + 1) & (table->room - 1);
  return place_at(table, at);
}

static int make_room(struct name_table *table) {
  size_t place_bytes = sizeof(uint64_t) + table->value_bytes;
  struct name_table larger = *table;

  if (table->places && table->count < table->room / 2)
    return 0;
  larger.room = table->places ? table->room * 2 : FIRST_ROOM;
  larger.places = calloc(larger.room, place_bytes);
  if (!larger.places)
    return -1;
  for (size_t at = 0; at < table->room; at++) {
    const uint64_t *place = place_at(table, at);

    if (*place != 0)
      memcpy(find_place(&larger, *place), place, place_bytes);
  }
  free(table->places);
  *table = larger;
  return 0;
}

void *name_table_find(const struct name_table *table, struct span name) {
  uint64_t *place = table->places ? find_place(table, hash_of(name)) : NULL;

  return place && *place != 0 ? place + 1 : NULL;
}

void *name_table_put(struct name_table *table, struct span name) {
  uint64_t hash = hash_of(name), *place;
  void *known = name_table_find(table, name);

  if (known)
    return known; /* which needs no room */
  if (make_room(table) != 0)
    return NULL;
  place = find_place(table, hash);
  table->count++;
  *place = hash;
  return place + 1;
}

void name_table_fini(struct name_table *table) {
  free(table->places);
  *table = (struct name_table){.value_bytes = table->value_bytes};
}
