/* watch_log.h - shows records as they are added to the logs, without a broker.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_WATCH_LOG_H
#define KAIZEN_HOST_WATCH_LOG_H

#include "host/session.h"

/* Prints each record that comes after the call, of one agent (NULL: of all, also new ones), until
 * `left` of them were shown, for timeout_s without one (0: forever), or a signal. 0 or -1. */
int watch_log_follow(struct session *session, const char *agent, uint64_t left, double timeout_s,
                     struct problem *problem);

#endif
