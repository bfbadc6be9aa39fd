/* pipeline.h - what one configuration sets up: project, recorder, publisher.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Counted by its users, so that a control call never waits for a recording in progress: the last
 * user frees it. */
#ifndef KAIZEN_PIPELINE_H
#define KAIZEN_PIPELINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/process_identity.h"
#include "config/config.h"
#include "edge/host_log.h"
#include "publisher/publisher.h"
#include "recorder/recorder.h"
#include "store/doorbell.h"
#include "store/project.h"
#include "store/survey_memory.h"

enum { PIPELINE_SWEEP_SLOTS = 1024 };

struct pipeline {
  unsigned users; /* guarded by the instance's mutex */
  struct config config;
  struct config_origins origins;
  struct buffer shown_url; /* nats_url without credentials, NUL-terminated */
  struct project project;
  struct recorder *recorder;
  struct survey_memory memory; /* of its agents, for those who count or read them */
  atomic_uint_fast64_t spans_begun;
  /* when an agent's lost runs are looked for next; agents share slots by a hash of their names */
  atomic_int_fast64_t sweep_due_ns[PIPELINE_SWEEP_SLOTS];
  struct host_log *log;                    /* the instance's */
  pthread_mutex_t mutex;                   /* of what follows */
  struct process_identity process;         /* pipeline_process() */
  pthread_cond_t returned;                 /* attachment_users fell to 0 */
  struct publisher_attachment *attachment; /* NULL: nothing is published from here */
  unsigned attachment_users;
  struct doorbell_button button; /* for records that another process publishes */
  bool running;
  int64_t attach_after_ns; /* after a failure, whose reason has been reported; 0: none since
                            * start */
};

/* Takes over the configuration, with its strings, and opens the project; changes nothing in it.
 * NULL with *error. */
struct pipeline *pipeline_new(const struct config *config, const struct config_origins *origins,
                              bool only_reads, struct host_log *log, struct error *error);
void pipeline_free(struct pipeline *pipeline);
/* From here on records may come; publishing begins when emission is on and done in this process. */
void pipeline_start(struct pipeline *pipeline);
/* 0, or 1 when events are pending at the deadline (CLOCK_MONOTONIC); -1 with *error: stopped as
 * well, and it is unknown how many are left. */
int pipeline_stop(struct pipeline *pipeline, int64_t deadline_ns, struct error *error);
/* 0, or 1 when *pending events are left at the deadline; -1 with *error: some agents could not be
 * read, and *pending counts the others. */
int pipeline_flush(struct pipeline *pipeline, int64_t deadline_ns, uint64_t *pending,
                   struct error *error);
/* For reading one agent: at most `lock_timeout_ms` to get its lock, and hardly any time when a
 * moment ago the wait for another one failed: so a caller that reads all agents waits only once. */
struct agent_view_limits pipeline_patience(struct pipeline *pipeline);
void pipeline_note_failed(struct pipeline *pipeline, const char *agent, const struct error *error);
/* The gauges of the project's logs, and the publisher's state, into *stats. */
void pipeline_stats(struct pipeline *pipeline, struct kaizen_stats *stats);
void pipeline_transport_settings(const struct pipeline *pipeline,
                                 struct transport_settings *settings);
/* This process, as others know it. */
const struct process_identity *pipeline_process(struct pipeline *pipeline);
void pipeline_publisher_status(struct pipeline *pipeline, struct publisher_status *status);
/* Who publishes for the project, also for an instance that takes no part in it; 0: nobody, -1: a
 * process of another pid namespace. */
pid_t pipeline_publisher_holder(const struct pipeline *pipeline);

#endif
