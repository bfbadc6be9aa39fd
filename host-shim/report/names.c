/* names.c - texts that occur often, stored once each and known by a number.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/names.h"

#include <stdlib.h>
#include <string.h>

static size_t hash_of(struct span text) {
  uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

  for (size_t i = 0; i < text.len; i++)
    hash = (hash ^ (unsigned char)text.ptr[i]) * UINT64_C(1099511628211);
  return (size_t)(hash ^ hash >> 32);
}

static uint32_t *slot_of(const struct names *names, struct span text) {
  size_t i = hash_of(text) & (names->slot_count - 1);

  while (names->slots[i] != 0 && !span_is(text, names->texts[names->slots[i]]))
    i = (i + 1) & (names->slot_count - 1);
  return &names->slots[i];
}

/* Room for one more name, at most half of the slots taken. */
static int make_room(struct names *names) {
  if (names->count < names->room)
    return 0;
  size_t room = names->room == 0 ? 32 : names->room * 2;
  char **texts = reallocarray(names->texts, room, sizeof *texts);
  if (!texts)
    return -1;
  names->texts = texts;
  uint32_t *slots = calloc(2 * room, sizeof *slots);
  if (!slots)
    return -1;
  free(names->slots);
  names->slots = slots;
  names->slot_count = 2 * room;
  names->room = room;
  if (names->count == 0)
    names->texts[names->count++] = NULL;
  for (size_t i = 1; i < names->count; i++)
    *slot_of(names, (struct span){names->texts[i], strlen(names->texts[i])}) = (uint32_t)i;
  return 0;
}

uint32_t names_number(struct names *names, struct span text) {
  if (text.len == 0)
    return 0;
  if (make_room(names) < 0)
    return UINT32_MAX;
  uint32_t *slot = slot_of(names, text);
  if (*slot != 0)
    return *slot;
  char *copy = strndup(text.ptr, text.len);
  if (!copy)
    return UINT32_MAX;
  names->texts[names->count] = copy;
  *slot = (uint32_t)names->count++;
  return *slot;
}

const char *names_text(const struct names *names, uint32_t number) {
  return number > 0 && number < names->count ? names->texts[number] : "";
}

void names_free(struct names *names) {
  for (size_t i = 0; i < names->count; i++)
    free(names->texts[i]);
  free(names->texts);
  free(names->slots);
  *names = (struct names){.texts = NULL};
}
