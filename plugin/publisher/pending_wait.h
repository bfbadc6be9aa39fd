/* pending_wait.h - waiting until what the logs hold now is acknowledged, by whichever process.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_PENDING_WAIT_H
#define KAIZEN_PENDING_WAIT_H

#include <stdint.h>

#include "base/error.h"
#include "store/project.h"

struct pending_wait_limits { /* CLOCK_MONOTONIC */
  int64_t wait_ns;           /* for events, and for locks that others hold */
  int64_t work_ns;           /* for counting a long log: not cut short at the end of the wait */
};

/* Waits until no marked line that the project's logs hold now is pending (held ones excepted),
 * whichever process publishes, or until its limits.  `hurry`, unless NULL, is called once when
 * there is something to wait for.  *pending: what is left, as far as it is known.  0 done, 1 not,
 * -1 with *error when the events of some agent are unknown: KAIZEN_E_BUSY its lock was not free or
 * its log too long for the time, KAIZEN_E_IO it cannot be read. */
int pending_wait(const struct project *project, const struct pending_wait_limits *limits,
                 void (*hurry)(void *ctx), void *ctx, uint64_t *pending, struct error *error);

#endif
