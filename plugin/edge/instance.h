/* instance.h - what a host's opaque handle points at.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_INSTANCE_H
#define KAIZEN_INSTANCE_H

#include <kaizen/plugin.h>
#include <pthread.h>
#include <stdatomic.h>

#include "edge/host_log.h"
#include "edge/pipeline.h"
#include "record/execution.h"

enum instance_state {
  INSTANCE_CREATED = KAIZEN_STATE_CREATED,
  INSTANCE_CONFIGURED = KAIZEN_STATE_CONFIGURED,
  INSTANCE_RUNNING = KAIZEN_STATE_RUNNING,
  INSTANCE_STOPPED = KAIZEN_STATE_STOPPED
};

struct kaizen_instance {
  struct kaizen_host_v1 host; /* a copy; what the host's own did not cover is zero */
  uint64_t process;           /* that created it: process_number() */
  struct host_log log;
  pthread_mutex_t mutex; /* of state, pipeline and its count, last_error */
  enum instance_state state;
  struct pipeline *pipeline; /* NULL until configured */
  struct config config;      /* what configure() and configure_key() gave so far */
  struct config_origins origins;
  struct error last_error; /* of the last call that failed, except those that record */
  atomic_uint_fast64_t recorded, duplicates, rejected, failed;
};

/* NULL: out of memory. */
struct kaizen_instance *instance_new(const struct kaizen_host_v1 *host);
void instance_free(struct kaizen_instance *instance); /* no call in progress */

/* Replaces the pipeline; the old one is freed once nothing records in it. */
void instance_replace_pipeline(struct kaizen_instance *instance, struct pipeline *pipeline,
                               enum instance_state state);
void instance_set_state(struct kaizen_instance *instance, enum instance_state state);
/* Stores the text for last_error; answers the code. */
int32_t instance_fail(struct kaizen_instance *instance, const struct error *error);

int64_t instance_now_ns(const struct kaizen_instance *instance);
/* The limits for an execution that is recorded in `pipeline` at `now_ns`. */
void instance_limits(const struct pipeline *pipeline, int64_t now_ns,
                     struct execution_limits *limits);
/* Counts one execution by its result. */
void instance_count(struct kaizen_instance *instance, int32_t code);

#endif
