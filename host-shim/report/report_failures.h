/* report_failures.h - an agent's last failures, each with its reason and session.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_FAILURES_H
#define KAIZEN_HOST_REPORT_FAILURES_H

#include "host/session.h"
#include "report/record_members.h"
#include "report/window.h"

enum { REPORT_FAILURES_MAX = 10, REPORT_FAILURES_RECORDS_MAX = 5000 };

struct report_failures {
  struct record_told list[REPORT_FAILURES_MAX]; /* newest first */
  size_t count;
};

/* Among the newest REPORT_FAILURES_RECORDS_MAX records of the window. */
int report_failures_read(struct session *session, const char *agent, const struct window *window,
                         struct report_failures *failures, struct problem *problem);

#endif
