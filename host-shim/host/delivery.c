/* delivery.c - what happened to the events in the logs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/delivery.h"

#include <string.h>

#include "base/json_text.h"
#include "host/report_text.h"
#include "host/unreadable.h"

static uint64_t count_of(struct json_object *agent, const char *name) {
  struct json_object *member = NULL;

  return json_object_object_get_ex(agent, name, &member) ? json_object_get_uint64(member) : 0;
}

int delivery_counts(struct session *session, const char *agent, struct delivery_counts *counts) {
  struct problem ignored;
  struct json_object *report = NULL, *agents = NULL, *unreadable;

  *counts = (struct delivery_counts){.marked = 0};
  if (report_text_delivery(session, &report, &ignored) < 0)
    return -1;
  json_object_object_get_ex(report, "agents", &agents);
  unreadable = unreadable_in(report);
  for (size_t i = 0; i < json_object_array_length(unreadable); i++)
    if (strcmp(report_text_string(json_object_array_get_idx(unreadable, i), "agent", ""), agent) ==
        0) {
      json_object_put(report);
      return -1;
    }
  for (size_t i = 0; agents && i < json_object_array_length(agents); i++) {
    struct json_object *entry = json_object_array_get_idx(agents, i);
    struct json_object *name = NULL;

    if (json_object_object_get_ex(entry, "agent", &name) &&
        strcmp(json_object_get_string(name), agent) == 0)
      *counts = (struct delivery_counts){
          .marked = count_of(entry, "marked"),
          .acknowledged = count_of(entry, "acknowledged"),
          .pending = count_of(entry, "pending"),
          .held = count_of(entry, "held"),
          .dead_lettered = count_of(entry, "dead_lettered"),
      };
  }
  json_object_put(report);
  return 0;
}

struct dead_letter_search {
  const char *event_id;
  bool found;
};

static int32_t compare_letter(void *ctx, const char *data, size_t len) {
  struct dead_letter_search *search = ctx;
  const char *description = NULL;
  size_t at = 0;
  struct json_object *letter = json_text_parse(data, len, &at, &description);

  search->found =
      search->found || strcmp(report_text_string(letter, "event_id", ""), search->event_id) == 0;
  json_object_put(letter);
  return 0;
}

bool delivery_is_dead_letter(struct session *session, const char *event_id) {
  const struct kaizen_delivery_1 *delivery =
      session->plugin.table->get_extension(KAIZEN_DELIVERY_1);
  struct dead_letter_search search = {.event_id = event_id, .found = false};

  if (delivery)
    delivery->dead_letters(session->instance, compare_letter, &search);
  return search.found;
}
