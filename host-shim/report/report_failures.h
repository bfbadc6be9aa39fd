/* report_failures.h - an agent's last failures, each with its reason and session.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_FAILURES_H
#define KAIZEN_HOST_REPORT_FAILURES_H

#include "report/record_members.h"
#include "report/run_lines.h"

enum { REPORT_FAILURES_MAX = 10 };

struct report_failures {
  struct record_told list[REPORT_FAILURES_MAX]; /* newest first */
  size_t count;
};

/* Of the lines of failures, oldest first. */
void report_failures_of(const struct run_lines *lines, struct report_failures *failures);

#endif
