/* delivery_wait.h - waiting for the broker to acknowledge what the logs hold.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_DELIVERY_WAIT_H
#define KAIZEN_HOST_DELIVERY_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "host/session.h"

struct delivery_wait {
  double timeout_s; /* negative: none */
  /* The first waits to the end in any case; the second while the cause may pass (a broker that
   * restarts, a leader that is elected); with neither, an unusable broker ends the wait at once. */
  bool until_deadline, patient;
  bool show_progress;
};
enum delivery_end {
  DELIVERY_DONE,       /* every event is acknowledged or a dead letter, except those held back */
  DELIVERY_INCOMPLETE, /* the same, except for agents whose log cannot be read */
  DELIVERY_TIMEOUT,
  DELIVERY_HOPELESS,    /* nobody publishes, or the broker cannot be used:
                           kaizen_stats.publisher_reason says why */
  DELIVERY_INTERRUPTED, /* signals_pending() */
  DELIVERY_FAILED       /* *problem */
};
/* With very many agents one call of stats() counts only a part, and the next call more: repeats it
 * until all that can be read are counted, or until `until_s` (time_text_monotonic_s()). */
void delivery_wait_count(struct session *session, double until_s, struct kaizen_stats *stats);
/* *stats: as of the end of the wait. */
enum delivery_end delivery_wait(struct session *session, const struct delivery_wait *wait,
                                struct kaizen_stats *stats, struct problem *problem);

#endif
