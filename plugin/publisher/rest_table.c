/* rest_table.c - agents with nothing to do until their files change.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/rest_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define FIRST_ROOM 256

static uint64_t hash_of(const char *name) {
  uint64_t hash = hash_bytes(name, strlen(name), 0);

  return hash ? hash : 1;
}

/* Where the name is, or the free place for it. */
static struct rest_place *find(struct rest_place *places, size_t room, uint64_t name) {
  size_t at = (size_t)name & (room - 1);

  while (places[at].name != 0 && places[at].name != name)
    at = (at + 1) & (room - 1);
  return &places[at];
}

bool rest_table_has(const struct rest_table *table, const char *name, uint64_t stamp) {
  const struct rest_place *place;

  if (!table->places)
    return false;
  place = find(table->places, table->room, hash_of(name));
  return place->name != 0 && place->stamp == stamp;
}

static bool make_room(struct rest_table *table) {
  size_t room = table->places ? table->room * 2 : FIRST_ROOM;
  struct rest_place *places;

  if (table->places && table->count < table->room / 2)
    return true;
  places = calloc(room, sizeof *places);
  if (!places)
    return false;
  for (size_t i = 0; i < table->room; i++)
    if (table->places[i].name != 0)
      *find(places, room, table->places[i].name) = table->places[i];
  free(table->places);
  table->places = places;
  table->room = room;
  return true;
}

void rest_table_put(struct rest_table *table, const char *name, uint64_t stamp, uint64_t token) {
  uint64_t hash = hash_of(name);
  struct rest_place *place;

  if (!make_room(table))
    return;
  place = find(table->places, table->room, hash);
  table->count += place->name == 0;
  *place = (struct rest_place){.name = hash, .stamp = stamp, .token = token};
}

uint64_t rest_table_token(const struct rest_table *table, const char *name) {
  return table->places ? find(table->places, table->room, hash_of(name))->token : 0;
}

void rest_table_fini(struct rest_table *table) {
  free(table->places);
  *table = (struct rest_table){0};
}
