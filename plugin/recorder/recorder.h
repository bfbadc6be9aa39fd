/* recorder.h - the pipeline from a validated execution to the log and what is derived from it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Threads of one process that record for the same agent at the same time share one lock, write,
 * sync and summary (group commit): the first becomes the leader, the others wait for it. */
#ifndef KAIZEN_RECORDER_H
#define KAIZEN_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/message.h"
#include "record/execution.h"
#include "store/project.h"
#include "store/summary.h"

struct recorder_options {
  const struct project *project; /* open as long as the recorder is */
  const char *slug;              /* the project's name in events; likewise */
  bool sync;                     /* fsync: always */
  unsigned trend_window;
  int64_t lock_timeout_ms, retention_days;
  struct message_sink messages;
  /* After the commit of marked lines, no lock held; may be NULL. */
  void (*marked)(void *ctx, const char *agent);
  void *marked_ctx;
};

struct recorder_request {
  const struct execution *execution;
  /* the answer */
  int32_t code;      /* KAIZEN_RECORDED, _DUPLICATE, _E_BUSY, _E_NOMEM, _E_IO or _E_INDETERMINATE */
  bool marked;       /* event_id stands in the log and will be sent */
  bool key_conflict; /* DUPLICATE, and the first record says something else */
  char event_id[UUID_TEXT_SIZE];
};

/* Bytes of lines one call may carry; a longer single record is bounded by execution_limits. */
#define RECORDER_BATCH_BYTES (UINT64_C(256) << 10)

struct recorder *recorder_new(const struct recorder_options *options); /* NULL: out of memory */
void recorder_free(struct recorder *recorder);                         /* no call in progress */

/* Records `count` executions of one agent.  Any thread, within a host guard.  `now_s`: wall time,
 * for retention.  Each request is answered; *summary (may be NULL) is the agent's after the call,
 * filled unless a code is < 0; *error explains the codes < 0. */
void recorder_record(struct recorder *recorder, struct recorder_request *requests, size_t count,
                     int64_t now_s, struct summary *summary, struct error *error);

#endif
