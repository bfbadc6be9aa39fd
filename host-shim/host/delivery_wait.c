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
static const double SLICE_MAX_S = 2;
enum { HOPELESS_SLICES = 5 };

/* A publisher that has just been woken still shows an old reason: only a reason that stays
 * counts. */
static bool is_hopeless(const struct kaizen_stats *stats) {
  return stats->publisher == KAIZEN_PUBLISHER_OFF ||
         (stats->publisher != KAIZEN_PUBLISHER_ELSEWHERE && stats->publisher_reason[0] != '\0');
}

/* Does the publisher say that waiting does not help? */
static bool is_lasting(struct session *session) {
  struct problem ignored;
  struct json_object *report = NULL;
  bool lasting = false;

  if (report_text_delivery(session, &report, &ignored) == 0)
    lasting = json_object_get_boolean(
        report_text_member(report_text_member(report, "publisher"), "hopeless"));
  json_object_put(report);
  return lasting;
}

static void show_progress(const struct kaizen_stats *stats) {
  output_progress("%llu of %llu events acknowledged, %llu pending  %s",
                  (unsigned long long)stats->acknowledged, (unsigned long long)stats->marked,
                  (unsigned long long)stats->pending, stats->publisher_reason);
}

void delivery_wait_count(struct session *session, double until_s, struct kaizen_stats *stats) {
  uint64_t unknown_before = UINT64_MAX;

  do {
    *stats = (struct kaizen_stats){.struct_size = sizeof *stats};
    session->plugin.table->stats(session->instance, stats);
    if (!(stats->flags & KAIZEN_STATS_INCOMPLETE) || stats->unknown_agents >= unknown_before)
      return;
    unknown_before = stats->unknown_agents;
  } while (time_text_monotonic_s() < until_s);
}

enum delivery_end delivery_wait(struct session *session, const struct delivery_wait *wait,
                                struct kaizen_stats *stats, struct problem *problem) {
  const struct kaizen_plugin_v1 *plugin = session->plugin.table;
  unsigned hopeless_slices = 0;
  double deadline_s = time_text_monotonic_s() + wait->timeout_s, longest_s = SLICE_S;
  for (;;) {
    double left_s = wait->timeout_s < 0 ? longest_s : deadline_s - time_text_monotonic_s();
    double slice_s = left_s < 0 ? 0 : left_s < longest_s ? left_s : longest_s;
    uint64_t pending = 0;
    int32_t result = plugin->flush(session->instance, (uint32_t)(slice_s * 1000 + 0.5), &pending);

    *stats = (struct kaizen_stats){.struct_size = sizeof *stats};
    bool unknown = result == KAIZEN_E_BUSY || result == KAIZEN_E_IO;
    if (unknown && longest_s < SLICE_MAX_S)
      longest_s *= 4; /* very many agents are not counted in a short time */
    if (result < 0 && !unknown) {
      session_failed(session, "waiting for the broker", result, problem);
      return DELIVERY_FAILED;
    }
    plugin->stats(session->instance, stats);
    if (result == KAIZEN_E_IO && pending == 0) /* waiting would not change that */
      return DELIVERY_INCOMPLETE;
    if (result != KAIZEN_PENDING && !unknown) /* returns at once when emission is off, whatever is
                                               * left */
      return pending == 0 ? DELIVERY_DONE : DELIVERY_HOPELESS;
    if (wait->show_progress)
      show_progress(stats);
    if (signals_pending())
      return DELIVERY_INTERRUPTED;
    hopeless_slices = is_hopeless(stats) ? hopeless_slices + 1 : 0;
    if (hopeless_slices == HOPELESS_SLICES && !wait->until_deadline) {
      if (!wait->patient || stats->publisher == KAIZEN_PUBLISHER_OFF || is_lasting(session))
        return DELIVERY_HOPELESS;
      hopeless_slices = 0;
    }
    if (left_s <= 0 || (wait->timeout_s >= 0 && time_text_monotonic_s() >= deadline_s))
      return DELIVERY_TIMEOUT;
  }
}
