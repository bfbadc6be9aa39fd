/* recorder.h - the pipeline from a validated execution to the log and what is derived from it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Threads of one process that record for the same agent at the same time share one lock, write,
 * sync and summary (group commit): the first becomes the leader, the others wait for it. */
#ifndef KAIZEN_RECORDER_H
#define KAIZEN_RECORDER_H

#include "base/error.h"
#include "recorder/options.h"
#include "recorder/request.h"
#include "store/summary.h"

/* How many bytes of lines one call may bring; execution_limits bound a single longer record. */
#define RECORDER_BATCH_BYTES (UINT64_C(256) << 10)

struct recorder *recorder_new(const struct recorder_options *options); /* NULL: out of memory */
void recorder_free(struct recorder *recorder);                         /* no call in progress */

/* Records `count` executions of one agent.  Any thread, within a host guard.  `now_s`: wall time,
 * for retention.  Each request is answered; *summary (may be NULL) is the agent's after the call,
 * filled unless a code is < 0; *error explains the codes < 0. */
void recorder_record(struct recorder *recorder, struct recorder_request *requests, size_t count,
                     int64_t now_s, struct summary *summary, struct error *error);

#endif
