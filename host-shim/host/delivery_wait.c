/* delivery_wait.c - waiting for the broker to acknowledge what the logs hold.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/delivery_wait.h"

#include <string.h>

#include "base/json_text.h"
#include "base/output.h"
#include "base/signals.h"
#include "base/time_text.h"
#include "host/report_text.h"

static const double SLICE_S = 0.02; /* how soon an acknowledgement or a Ctrl-C is noticed */
enum { HOPELESS_SLICES = 5 };

/* A publisher that has just been woken still shows what it said in its sleep: only a reason that
 * stays counts. */
static bool is_hopeless(const struct kaizen_stats *stats) {
  return stats->publisher == KAIZEN_PUBLISHER_OFF ||
         (stats->publisher != KAIZEN_PUBLISHER_ELSEWHERE && stats->publisher_reason[0] != '\0');
}

static void show_progress(const struct kaizen_stats *stats) {
  output_progress("%llu of %llu events acknowledged, %llu pending  %s",
                  (unsigned long long)stats->acknowledged, (unsigned long long)stats->marked,
                  (unsigned long long)stats->pending, stats->publisher_reason);
}

enum delivery_end delivery_wait(struct session *session, const struct delivery_wait *wait,
                                struct kaizen_stats *stats, struct problem *problem) {
  const struct kaizen_plugin_v1 *plugin = session->plugin.table;
  unsigned hopeless_slices = 0;
  double deadline_s = time_text_monotonic_s() + wait->timeout_s;
  for (;;) {
    double left_s = wait->timeout_s < 0 ? SLICE_S : deadline_s - time_text_monotonic_s();
    double slice_s = left_s < 0 ? 0 : left_s < SLICE_S ? left_s : SLICE_S;
    uint64_t pending = 0;
    int32_t result = plugin->flush(session->instance, (uint32_t)(slice_s * 1000 + 0.5), &pending);

    *stats = (struct kaizen_stats){.struct_size = sizeof *stats};
    if (result < 0 || plugin->stats(session->instance, stats) < 0) {
      session_failed(session, "waiting for the broker", result, problem);
      return DELIVERY_FAILED;
    }
    if (result != KAIZEN_PENDING) /* at once when emission is off, whatever is left */
      return pending == 0 ? DELIVERY_DONE : DELIVERY_HOPELESS;
    if (wait->show_progress)
      show_progress(stats);
    if (signals_pending())
      return DELIVERY_INTERRUPTED;
    hopeless_slices = is_hopeless(stats) ? hopeless_slices + 1 : 0;
    if (!wait->until_deadline && hopeless_slices == HOPELESS_SLICES)
      return DELIVERY_HOPELESS;
    if (left_s <= 0)
      return DELIVERY_TIMEOUT;
  }
}

static uint64_t count_of(struct json_object *agent, const char *name) {
  struct json_object *member = NULL;

  return json_object_object_get_ex(agent, name, &member) ? json_object_get_uint64(member) : 0;
}

int delivery_counts(struct session *session, const char *agent, struct delivery_counts *counts) {
  struct problem ignored;
  struct json_object *report = NULL, *agents = NULL;

  *counts = (struct delivery_counts){.marked = 0};
  if (report_text_delivery(session, &report, &ignored) < 0)
    return -1;
  json_object_object_get_ex(report, "agents", &agents);
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
