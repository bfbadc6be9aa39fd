/* open_run.h - runs that were begun: ended by their record, or found lost.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What kaizen.span/1 and the recording calls share.  Within a call (call.h). */
#ifndef KAIZEN_OPEN_RUN_H
#define KAIZEN_OPEN_RUN_H

#include "edge/call.h"
#include "store/open_span.h"

struct open_run {
  struct kaizen_execution execution; /* the host's, with what the span knows */
  struct open_span span;
  char token[UUID_TEXT_SIZE];
  int agent_fd; /* -1: the span is not open */
};

/* The run of `token`, for the execution that ends it.  0, or -1 with call->error; open_run_close()
 * is due in both cases. */
int open_run_take(struct open_run *run, struct call *call, const char *token,
                  const struct kaizen_execution *in);
/* `recorded`: its end is in the log, so that it is not open any more. */
void open_run_close(struct open_run *run, bool recorded);

/* Records every lost run of an agent; *count (may be NULL) is raised by the number of records.  -1
 * with call->error when some could not be recorded or read: the next call tries again. */
int open_run_sweep(struct call *call, const char *agent, uint64_t *count);
/* The same, but only now and then for each agent, and without reporting a failure. */
void open_run_sweep_sometimes(struct call *call, const char *agent);

#endif
