/* sender.h - what is sent next, over the connection that there is.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The publisher's thread only. */
#ifndef KAIZEN_SENDER_H
#define KAIZEN_SENDER_H

#include "broker/transport.h"
#include "publisher/publisher_project.h"
#include "publisher/window.h"

struct sender {
  const struct transport_kind *kind;
  const struct transport_settings *settings;
  struct transport *transport; /* NULL: not connected */
  struct window window;
  size_t in_flight;
  struct stream_place newest; /* of all agents' */
  uint32_t era;               /* raised when the store was found lost */
  struct buffer line, envelope;
};

/* Sends what waits and what is new, as much as the window holds, every agent's events in the order
 * of its log. */
void sender_fill(struct sender *sender, struct publisher_project *projects, int64_t now_ns);
/* Sends one event, once nothing is in flight. */
void sender_probe(struct sender *sender, struct publisher_project *projects, int64_t now_ns);
/* Sends nothing: reads up to `max` events per agent, to find out whether something waits. */
void sender_read_ahead(struct sender *sender, struct publisher_project *projects, size_t max,
                       int64_t now_ns);

#endif
