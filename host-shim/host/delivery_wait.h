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
  /* To the end, also without hope; else to the end while there is hope (a broker that restarts, a
   * leader that is elected); else a broker that cannot be used ends the wait at once. */
  bool until_deadline, patient;
  bool show_progress;
};
enum delivery_end {
  DELIVERY_DONE,       /* every marked event is acknowledged or a dead letter, held ones excepted */
  DELIVERY_INCOMPLETE, /* the same, except for agents whose log cannot be read */
  DELIVERY_TIMEOUT,
  DELIVERY_HOPELESS,    /* nobody publishes, or the broker cannot be used:
                           kaizen_stats.publisher_reason says why */
  DELIVERY_INTERRUPTED, /* signals_pending() */
  DELIVERY_FAILED       /* *problem */
};
/* *stats: as of the end of the wait. */
enum delivery_end delivery_wait(struct session *session, const struct delivery_wait *wait,
                                struct kaizen_stats *stats, struct problem *problem);

#endif
