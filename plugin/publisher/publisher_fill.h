/* publisher_fill.h - what is sent next.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The publisher's thread only. */
#ifndef KAIZEN_PUBLISHER_FILL_H
#define KAIZEN_PUBLISHER_FILL_H

#include "publisher/publisher_flow.h"

/* Sends what waits and what is new, as much as the window takes, every agent in its log's order. */
void publisher_fill(struct publisher_flow *flow, struct publisher_project *projects,
                    int64_t now_ns);
/* Sends one event, once the back-off has passed and nothing is in flight. */
void publisher_fill_probe(struct publisher_flow *flow, struct publisher_project *projects,
                          int64_t now_ns);
/* Sends nothing: reads up to `max` events an agent, so that it is known whether something waits. */
void publisher_fill_ahead(struct publisher_flow *flow, struct publisher_project *projects,
                          size_t max, int64_t now_ns);

#endif
