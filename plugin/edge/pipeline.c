/* pipeline.c - what one configuration sets up: project, recorder, publisher.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "edge/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "edge/out_struct.h"
#include "store/agent_survey.h"

/* Memory, or a thread, may be available again by then; a library that is missing stays missing. */
#define ATTACH_AGAIN_NS INT64_C(1000000000)
/* How soon a flush notices that the instance is being stopped. */
#define FLUSH_SLICE_NS INT64_C(20000000)
/* A host asks for statistics while it works: what is not available by then is reported as unknown.
 * For the locks of all agents; to begin with another agent; to read a log from its beginning. */
#define STATS_LOCKS_MS 100
#define STATS_BEGIN_MS 200
#define STATS_READ_MS 1000
#define NS_PER_MS INT64_C(1000000)

void pipeline_transport_settings(const struct pipeline *pipeline,
                                 struct transport_settings *settings) {
  const struct config *config = &pipeline->config;

  *settings = (struct transport_settings){
      .core = config->publish == CONFIG_PUBLISH_CORE,
      .url = config->nats_url,
      .creds = config->nats_creds,
      .ca = config->nats_ca,
      .cert = config->nats_cert,
      .key = config->nats_key,
      .stream = config->stream,
      .shown_url = pipeline->shown_url.failed ? NULL : pipeline->shown_url.data,
  };
}

/* Mutex held.  Made when it is first needed: a host that never emits has no thread of ours. */
static void attach(struct pipeline *pipeline) {
  struct transport_settings settings;
  struct error error = {0};

  if (pipeline->attachment || clock_monotonic_ns() < pipeline->attach_after_ns ||
      pipeline->config.delivery != CONFIG_DELIVERY_IN_PROCESS)
    return;
  pipeline_transport_settings(pipeline, &settings);
  if (publisher_attach(&settings, &pipeline->project, pipeline->config.fsync == CONFIG_FSYNC_ALWAYS,
                       host_log_send, pipeline->log, &pipeline->attachment, &error) == 0)
    return;
  pipeline->attach_after_ns =
      error.code == KAIZEN_E_NOMEM ? clock_monotonic_ns() + ATTACH_AGAIN_NS : INT64_MAX;
  host_log_send(pipeline->log, KAIZEN_LOG_ERROR, HOST_LOG_NO_PUBLISHER, error.text);
}

static bool is_running(struct pipeline *pipeline) {
  bool running;

  (void)pthread_mutex_lock(&pipeline->mutex);
  running = pipeline->running;
  (void)pthread_mutex_unlock(&pipeline->mutex);
  return running;
}

/* The attachment for a moment's use, NULL when there is none; pipeline_stop() removes it only
 * between uses. */
static struct publisher_attachment *borrow_attachment(struct pipeline *pipeline, bool wanted) {
  struct publisher_attachment *attachment = NULL;

  (void)pthread_mutex_lock(&pipeline->mutex);
  if (pipeline->running && (wanted || pipeline->attach_after_ns > 0))
    attach(pipeline);
  if (pipeline->running)
    attachment = pipeline->attachment;
  if (attachment)
    pipeline->attachment_users++;
  (void)pthread_mutex_unlock(&pipeline->mutex);
  return attachment;
}

static void return_attachment(struct pipeline *pipeline) {
  (void)pthread_mutex_lock(&pipeline->mutex);
  if (--pipeline->attachment_users == 0)
    (void)pthread_cond_signal(&pipeline->returned);
  (void)pthread_mutex_unlock(&pipeline->mutex);
}

static void tell_publisher(void *ctx, const char *agent) {
  struct pipeline *pipeline = ctx;
  struct publisher_attachment *attachment = borrow_attachment(pipeline, true);

  if (!attachment) {
    (void)pthread_mutex_lock(&pipeline->mutex);
    doorbell_ring(&pipeline->button, &pipeline->project, agent);
    (void)pthread_mutex_unlock(&pipeline->mutex);
    return;
  }
  publisher_committed(attachment, agent);
  return_attachment(pipeline);
}

static int open_project(struct project *project, const struct config *config, bool only_reads,
                        struct error *error) {
  bool sync = config->fsync == CONFIG_FSYNC_ALWAYS;

  if (only_reads)
    return project_open_to_read(project, config->project_root, error);
  if (config->owner == CONFIG_OWNER_GROUP)
    return project_open_for_group(project, config->project_root, config->allow_network_fs, sync,
                                  error);
  return project_open(project, config->project_root, config->allow_network_fs, sync, error);
}

struct pipeline *pipeline_new(const struct config *config, const struct config_origins *origins,
                              bool only_reads, struct host_log *log, struct error *error) {
  bool sync = config->fsync == CONFIG_FSYNC_ALWAYS;
  struct pipeline *pipeline = calloc(1, sizeof *pipeline);

  if (!pipeline) {
    (void)error_set(error, KAIZEN_E_NOMEM, "out of memory");
    return NULL;
  }
  if (open_project(&pipeline->project, config, only_reads, error) != 0)
    goto no_project;
  pipeline->recorder = recorder_new(&(struct recorder_options){
      .project = &pipeline->project,
      .slug = config->project,
      .sync = sync,
      .trend_window = (unsigned)config->trend_window,
      .lock_timeout_ms = config->lock_timeout_ms,
      .retention_days = config->retention_days,
      .messages = {host_log_send, log},
      .marked = tell_publisher,
      .marked_ctx = pipeline,
  });
  if (!pipeline->recorder) {
    (void)error_set(error, KAIZEN_E_NOMEM, "out of memory");
    goto no_recorder;
  }
  config_redact_url(config->nats_url, &pipeline->shown_url);
  buffer_append_byte(&pipeline->shown_url, '\0');
  doorbell_button_init(&pipeline->button);
  (void)pthread_mutex_init(&pipeline->mutex, NULL);
  (void)pthread_cond_init(&pipeline->returned, NULL);
  survey_memory_init(&pipeline->memory);
  pipeline->log = log;
  pipeline->config = *config;
  pipeline->origins = *origins;
  return pipeline;

no_recorder:
  project_close(&pipeline->project);
no_project:
  free(pipeline);
  return NULL;
}

void pipeline_free(struct pipeline *pipeline) {
  if (!pipeline)
    return;
  recorder_free(pipeline->recorder);
  survey_memory_fini(&pipeline->memory);
  doorbell_button_close(&pipeline->button);
  project_close(&pipeline->project);
  config_fini(&pipeline->config);
  buffer_fini(&pipeline->shown_url);
  (void)pthread_cond_destroy(&pipeline->returned);
  (void)pthread_mutex_destroy(&pipeline->mutex);
  free(pipeline);
}

void pipeline_start(struct pipeline *pipeline) {
  (void)pthread_mutex_lock(&pipeline->mutex);
  pipeline->running = true;
  pipeline->attach_after_ns = 0;
  if (pipeline->config.emit_event)
    attach(pipeline);
  (void)pthread_mutex_unlock(&pipeline->mutex);
}

static void hurry_detached(void *ctx) {
  publisher_hurry(ctx);
}

int pipeline_stop(struct pipeline *pipeline, int64_t deadline_ns, struct error *error) {
  struct publisher_attachment *attachment;
  struct pending_wait wait;
  uint64_t pending;
  int result;

  (void)pthread_mutex_lock(&pipeline->mutex);
  pipeline->running = false;
  while (pipeline->attachment_users > 0)
    (void)pthread_cond_wait(&pipeline->returned, &pipeline->mutex);
  attachment = pipeline->attachment;
  pipeline->attachment = NULL;
  (void)pthread_mutex_unlock(&pipeline->mutex);
  if (!attachment && pipeline->attach_after_ns == 0) /* none was wanted */
    return 0;
  pending_wait_begin(&wait, &pipeline->project, &pipeline->memory, deadline_ns);
  result = pending_wait_on(&wait, attachment ? deadline_ns : 0, attachment ? hurry_detached : NULL,
                           attachment, &pending, error);
  pending_wait_end(&wait);
  if (attachment)
    publisher_detach(attachment, deadline_ns);
  return result;
}

/* What is left is worth waiting for: events, or a lock that others hold. */
static bool may_change(const struct pending_wait *wait) {
  return !wait->failed && !wait->cut_short && (wait->pending > 0 || wait->busy > 0);
}

static void hurry(void *ctx) {
  struct pipeline *pipeline = ctx;
  struct publisher_attachment *attachment = borrow_attachment(pipeline, false);

  if (!attachment)
    return;
  publisher_hurry(attachment);
  return_attachment(pipeline);
}

int pipeline_flush(struct pipeline *pipeline, int64_t deadline_ns, uint64_t *pending,
                   struct error *error) {
  /* events would be sent from here, but are off: nobody will publish, so there is nothing to wait
   * for */
  bool only_counts =
      pipeline->config.delivery == CONFIG_DELIVERY_IN_PROCESS && !pipeline->config.emit_event;
  struct pending_wait wait;
  int result;

  pending_wait_begin(&wait, &pipeline->project, &pipeline->memory, deadline_ns);
  do {
    int64_t slice_ns = clock_monotonic_ns() + FLUSH_SLICE_NS;

    if (slice_ns > deadline_ns)
      slice_ns = deadline_ns;
    result = pending_wait_on(&wait, only_counts ? 0 : slice_ns, hurry, pipeline, pending, error);
  } while (!only_counts && may_change(&wait) && is_running(pipeline) &&
           clock_monotonic_ns() < deadline_ns);
  pending_wait_end(&wait);
  return only_counts && result > 0 ? 0 : result;
}

struct agent_view_limits pipeline_patience(struct pipeline *pipeline) {
  return (struct agent_view_limits){
      .lock_ns =
          survey_memory_patience(&pipeline->memory, pipeline->config.lock_timeout_ms * NS_PER_MS),
      .work_ns = INT64_MAX,
  };
}

void pipeline_note_failed(struct pipeline *pipeline, const char *agent, const struct error *error) {
  if (error->code == KAIZEN_E_BUSY)
    survey_memory_waited_in_vain(&pipeline->memory, agent);
}

struct gauges {
  uint64_t marked, acknowledged, pending, dead_lettered;
  int64_t last_acknowledged_unix_ns;
  int64_t oldest_pending_s; /* INT64_MAX: none */
  uint64_t unknown_agents;  /* whose numbers are unknown */
  struct error why;         /* of the first of them */
};

static void note_unknown(void *ctx, const char *agent, const struct error *why) {
  struct gauges *gauges = ctx;

  (void)agent;
  if (gauges->unknown_agents++ == 0)
    gauges->why = *why;
}

static void add_settled(void *ctx, const char *agent, const struct settled_agent *found) {
  struct gauges *gauges = ctx;

  (void)agent;
  gauges->marked += found->acknowledged;
  gauges->acknowledged += found->acknowledged;
  if (found->last_acknowledged_unix_ns > gauges->last_acknowledged_unix_ns)
    gauges->last_acknowledged_unix_ns = found->last_acknowledged_unix_ns;
}

static void add_agent(void *ctx, const char *agent, const struct agent_view *view) {
  struct gauges *gauges = ctx;
  struct error error = {0};

  if (view->impossible) {
    (void)error_set(&error, KAIZEN_E_IO, "%s: " AGENT_VIEW_IMPOSSIBLE, agent);
    note_unknown(gauges, agent, &error);
  }
  gauges->marked += view->fold.marked;
  gauges->acknowledged += view->acknowledged;
  gauges->pending += view->pending;
  gauges->dead_lettered += view->dead_lettered;
  if (view->oldest_pending_s > 0 && view->oldest_pending_s < gauges->oldest_pending_s)
    gauges->oldest_pending_s = view->oldest_pending_s;
  if (view->state.last_acknowledged_unix_ns > gauges->last_acknowledged_unix_ns)
    gauges->last_acknowledged_unix_ns = view->state.last_acknowledged_unix_ns;
}

const struct process_identity *pipeline_process(struct pipeline *pipeline) {
  (void)pthread_mutex_lock(&pipeline->mutex);
  if (pipeline->process.pid == 0)
    process_identity_own(&pipeline->process);
  (void)pthread_mutex_unlock(&pipeline->mutex);
  return &pipeline->process;
}

void pipeline_publisher_status(struct pipeline *pipeline, struct publisher_status *status) {
  memset(status, 0, sizeof *status);
  (void)pthread_mutex_lock(&pipeline->mutex);
  if (pipeline->attachment) {
    publisher_status(pipeline->attachment, status);
  } else if (pipeline->config.delivery == CONFIG_DELIVERY_RELAY) {
    status->state = KAIZEN_PUBLISHER_ELSEWHERE;
    (void)snprintf(status->reason, sizeof status->reason,
                   "delivery is \"relay\": kaizen-host drain --follow publishes");
  } else {
    status->state = KAIZEN_PUBLISHER_OFF;
    (void)snprintf(status->reason, sizeof status->reason, "%s",
                   !pipeline->running             ? "not started"
                   : !pipeline->config.emit_event ? "emit_event is false"
                                                  : "no thread");
  }
  (void)pthread_mutex_unlock(&pipeline->mutex);
}

pid_t pipeline_publisher_holder(const struct pipeline *pipeline) {
  return publisher_holder(&pipeline->project);
}

void pipeline_stats(struct pipeline *pipeline, struct kaizen_stats *stats) {
  int64_t now_ns = clock_monotonic_ns();
  struct gauges gauges = {.oldest_pending_s = INT64_MAX};
  const struct agent_survey survey = {
      .project = &pipeline->project,
      .memory = &pipeline->memory,
      .lock_ns = now_ns + STATS_LOCKS_MS * NS_PER_MS,
      .begin_ns = now_ns + STATS_BEGIN_MS * NS_PER_MS,
      .read_ns = now_ns + STATS_READ_MS * NS_PER_MS,
      .ctx = &gauges,
      .known = add_agent,
      .settled = add_settled,
      .unknown = note_unknown,
  };
  struct publisher_status status;
  struct error error = {0};

  /* an agent that cannot be read hides no other, and does not count as zero */
  if (agent_survey_run(&survey, &error) != 0)
    note_unknown(&gauges, "", &error);
  pipeline_publisher_status(pipeline, &status);
  stats->marked = gauges.marked;
  stats->acknowledged = gauges.acknowledged;
  stats->pending = gauges.pending;
  stats->dead_lettered = gauges.dead_lettered;
  if (gauges.oldest_pending_s < INT64_MAX)
    stats->oldest_pending_unix_ns = clock_ns_of(gauges.oldest_pending_s, 0);
  stats->publish_failures = status.publish_failures;
  stats->last_acknowledged_unix_ns = gauges.last_acknowledged_unix_ns;
  stats->publisher = status.state;
  (void)snprintf(stats->publisher_reason, sizeof stats->publisher_reason, "%s", status.reason);
  if (gauges.unknown_agents == 0)
    return;
  stats->flags |= KAIZEN_STATS_INCOMPLETE;
  stats->unknown_agents = gauges.unknown_agents;
  out_struct_set_text(stats->incomplete_reason, sizeof stats->incomplete_reason, gauges.why.text);
}
