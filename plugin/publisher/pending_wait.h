/* pending_wait.h - waiting until what the logs hold now is acknowledged, by whichever process.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Begins with a look at all agents, and then looks only at those that had something pending or
 * could not be read. */
#ifndef KAIZEN_PENDING_WAIT_H
#define KAIZEN_PENDING_WAIT_H

#include <stdint.h>

#include "base/error.h"
#include "store/project.h"
#include "store/survey_memory.h"

struct awaited;

struct pending_wait {
  const struct project *project;
  struct survey_memory *memory;
  struct awaited *agents;
  int64_t patience_ns, work_ns; /* CLOCK_MONOTONIC: for locks, at least; for counting */
  int64_t pause_ns, hurried_ns;
  uint64_t pending;
  unsigned busy, unreadable; /* agents: to be tried again; that cannot be read at all */
  bool cut_short, failed; /* not all agents were looked at: for lack of time; for why_unreadable */
  struct error why_busy, why_unreadable;
};

/* Looks at all agents, without waiting: which marked lines in the logs are pending now, except
 * those held back?  `work_ns` (CLOCK_MONOTONIC): for counting long logs and many agents.  `memory`
 * may be NULL. */
void pending_wait_begin(struct pending_wait *wait, const struct project *project,
                        struct survey_memory *memory, int64_t work_ns);
/* Waits until none of them is pending, whichever process publishes, or until `until_ns`.  `hurry`,
 * unless NULL, is called when there is something to wait for.  *pending: what is left, as far as it
 * is known.  0 done, 1 not, -1 with *error when the events of some agent are unknown:
 * KAIZEN_E_BUSY its lock was not free, or the time too short for its log or for so many agents;
 * KAIZEN_E_IO it cannot be read.  To be called again after 1 or KAIZEN_E_BUSY. */
int pending_wait_on(struct pending_wait *wait, int64_t until_ns, void (*hurry)(void *ctx),
                    void *ctx, uint64_t *pending, struct error *error);
void pending_wait_end(struct pending_wait *wait);

#endif
