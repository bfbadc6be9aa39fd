/* publisher_flow.h - the connection, and what goes over it: connect, send, judge the answers, try
 * again.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The publisher's thread only. */
#ifndef KAIZEN_PUBLISHER_FLOW_H
#define KAIZEN_PUBLISHER_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/transport.h"
#include "publisher/publisher_project.h"
#include "publisher/window.h"

enum publisher_mode {
  PUBLISHER_FLOWING,  /* as many as the window takes */
  PUBLISHER_SETTLING, /* an answer was no acknowledgement: everything in flight is let end */
  PUBLISHER_PROBING,  /* one event at a time, until one is acknowledged */
};

struct publisher_flow {
  const struct transport_kind *kind;
  const struct transport_settings *settings;
  transport_wake wake;
  void *wake_ctx;
  struct transport *transport; /* NULL: not connected */
  struct window window;
  size_t in_flight;
  enum publisher_mode mode;
  unsigned failures, connect_failures; /* since the last success: what the back-off grows with */
  int64_t retry_ns, connect_ns;        /* CLOCK_MONOTONIC: not before */
  int64_t overdue_check_ns, settle_by_ns;
  uint64_t sequence;                /* of the newest acknowledgement */
  uint32_t era;                     /* raised when the store was found lost */
  struct transport_trouble trouble; /* why nothing is acknowledged; "" when something is */
  struct buffer line, envelope;
};

/* One round.  `projects` are the publisher's; only elected ones are served. */
void publisher_flow_tick(struct publisher_flow *flow, struct publisher_project *projects,
                         int64_t now_ns);
/* Somebody waits: shortens a back-off. */
void publisher_flow_hurry(struct publisher_flow *flow, int64_t now_ns);
/* Closes the connection: what was in flight is not acknowledged. */
void publisher_flow_disconnect(struct publisher_flow *flow, struct publisher_project *projects);
/* Are this project's events ours to send? */
bool publisher_flow_serves(const struct publisher_project *project);
/* When it wants to be called next. */
int64_t publisher_flow_next_ns(const struct publisher_flow *flow,
                               const struct publisher_project *projects, int64_t now_ns);
void publisher_flow_fini(struct publisher_flow *flow);

#endif
