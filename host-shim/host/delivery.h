/* delivery.h - what happened to the events in the logs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_DELIVERY_H
#define KAIZEN_HOST_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "host/session.h"

/* What became of the marked events of one agent: for the word that record and exec print. */
struct delivery_counts {
  uint64_t marked, acknowledged, pending, held, dead_lettered;
};
/* 0, with zeroed counts when the agent has no log; -1: the plugin does not know. */
int delivery_counts(struct session *session, const char *agent, struct delivery_counts *counts);
/* Whether the event of that id is among the dead letters. */
bool delivery_is_dead_letter(struct session *session, const char *event_id);

#endif
