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

#include "publisher/sender.h"

enum publisher_mode {
  PUBLISHER_FLOWING,  /* as many as the window takes */
  PUBLISHER_SETTLING, /* an answer was not an acknowledgement: wait until nothing is in flight */
  PUBLISHER_PROBING,  /* one event at a time, until one is acknowledged */
};

struct publisher_flow {
  struct sender sender;
  transport_wake wake;
  void *wake_ctx;
  enum publisher_mode mode;
  unsigned failures, connect_failures; /* since the last success: what the back-off grows with */
  int64_t retry_ns, connect_ns;        /* CLOCK_MONOTONIC: not before */
  int64_t overdue_check_ns, settle_by_ns;
  int64_t answered_ns; /* when the newest event that was acknowledged had been sent */
  int64_t why_ns;      /* the broker is not asked for a reason before this time */
  /* asking whether the stream still holds what it had: how many more times on this connection, and
   * otherwise not before */
  unsigned store_checks;
  int useless;         /* is the stream useless, see transport.h: 1, 0, -1 unknown ... */
  int64_t useless_ns;  /* ... until then */
  bool is_useless_due; /* on this connection it was not known yet at an acknowledgement */
  struct transport_trouble useless_trouble;
  int64_t duplicate_check_ns; /* no duplicate is looked up in the stream before this time */
  bool told_gone;             /* on this connection */
  int64_t store_check_ns;
  char asked_about[160];            /* the trouble's text before the broker was asked why */
  struct transport_trouble trouble; /* why nothing is acknowledged; "" when something is */
};

/* One round.  `projects` are the publisher's; only elected ones are served. */
void publisher_flow_tick(struct publisher_flow *flow, struct publisher_project *projects,
                         int64_t now_ns);
/* Somebody waits: shortens a back-off. */
void publisher_flow_hurry(struct publisher_flow *flow, int64_t now_ns);
/* Closes the connection: what was in flight is not acknowledged. */
void publisher_flow_disconnect(struct publisher_flow *flow, struct publisher_project *projects);
/* When it wants to be called next. */
int64_t publisher_flow_next_ns(const struct publisher_flow *flow,
                               const struct publisher_project *projects, int64_t now_ns);
void publisher_flow_fini(struct publisher_flow *flow);

#endif
