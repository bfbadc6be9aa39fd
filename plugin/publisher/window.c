/* window.c - events that were read and not yet acknowledged.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/window.h"

#include <stdlib.h>
#include <string.h>

static int make_entries(struct window *window) {
  window->entries = calloc(TRANSPORT_WINDOW, sizeof *window->entries);
  if (!window->entries)
    return -1;
  for (size_t i = TRANSPORT_WINDOW; i-- > 0;) {
    window->entries[i].next = window->unused;
    window->unused = &window->entries[i];
  }
  return 0;
}

struct window_entry *window_take(struct window *window) {
  struct window_entry *entry;

  if (!window->entries && make_entries(window) != 0)
    return NULL;
  entry = window->unused;
  if (!entry)
    return NULL;
  window->unused = entry->next;
  memset(entry, 0, sizeof *entry);
  window->in_use++;
  return entry;
}

void window_give_back(struct window *window, struct window_entry *entry) {
  free(entry->refusal);
  memset(entry, 0, sizeof *entry);
  entry->next = window->unused;
  window->unused = entry;
  window->in_use--;
}

uint64_t window_ticket(const struct window *window, const struct window_entry *entry) {
  return (uint64_t)(entry - window->entries);
}

struct window_entry *window_entry_of(struct window *window, uint64_t ticket) {
  struct window_entry *entry;

  if (!window->entries || ticket >= TRANSPORT_WINDOW)
    return NULL;
  entry = &window->entries[ticket];
  return entry->agent && entry->state == WINDOW_SENT ? entry : NULL;
}

int window_refuse(struct window_entry *entry, const char *reason) {
  entry->refusal = strdup(reason[0] ? reason : "refused by the broker");
  if (!entry->refusal)
    return -1;
  entry->state = WINDOW_DONE;
  return 0;
}

void window_fini(struct window *window) {
  free(window->entries);
  *window = (struct window){0};
}
