/* engine.c - what works for one configured instance.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "edge/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/agent_view.h"

/* Memory, or a thread, may be had again by then; a library that is missing stays missing. */
#define ATTACH_AGAIN_NS INT64_C(1000000000)
/* A flush lets go of the attachment that often, so that a stop need not wait for it. */
#define FLUSH_SLICE_NS INT64_C(20000000)
#define NS_PER_S INT64_C(1000000000)
/* How often another process's progress is looked at. */
#define FLUSH_POLL_NS INT64_C(5000000)

void engine_transport_settings(const struct engine *engine, struct transport_settings *settings) {
  const struct config *config = &engine->config;

  *settings = (struct transport_settings){
      .core = config->publish == CONFIG_PUBLISH_CORE,
      .url = config->nats_url,
      .creds = config->nats_creds,
      .ca = config->nats_ca,
      .cert = config->nats_cert,
      .key = config->nats_key,
      .stream = config->stream,
      .shown_url = engine->shown_url.failed ? NULL : engine->shown_url.data,
  };
}

/* Mutex held.  Made when it is first needed: a host that never emits has no thread of ours. */
static void attach(struct engine *engine) {
  struct transport_settings settings;
  struct error error = {0};

  if (engine->attachment || clock_monotonic_ns() < engine->attach_after_ns ||
      engine->config.delivery != CONFIG_DELIVERY_IN_PROCESS)
    return;
  engine_transport_settings(engine, &settings);
  if (publisher_attach(&settings, &engine->project, engine->config.fsync == CONFIG_FSYNC_ALWAYS,
                       messages_send, engine->messages, &engine->attachment, &error) == 0)
    return;
  engine->attach_after_ns =
      error.code == KAIZEN_E_NOMEM ? clock_monotonic_ns() + ATTACH_AGAIN_NS : INT64_MAX;
  messages_send(engine->messages, KAIZEN_LOG_ERROR, MESSAGE_NO_PUBLISHER, error.text);
}

static bool is_running(struct engine *engine) {
  bool running;

  (void)pthread_mutex_lock(&engine->mutex);
  running = engine->running;
  (void)pthread_mutex_unlock(&engine->mutex);
  return running;
}

/* The attachment for a moment's use, NULL when there is none; engine_stop() takes it away only
 * between uses. */
static struct publisher_attachment *borrow_attachment(struct engine *engine, bool wanted) {
  struct publisher_attachment *attachment = NULL;

  (void)pthread_mutex_lock(&engine->mutex);
  if (engine->running && (wanted || engine->attach_after_ns > 0))
    attach(engine);
  if (engine->running)
    attachment = engine->attachment;
  if (attachment)
    engine->attachment_users++;
  (void)pthread_mutex_unlock(&engine->mutex);
  return attachment;
}

static void return_attachment(struct engine *engine) {
  (void)pthread_mutex_lock(&engine->mutex);
  if (--engine->attachment_users == 0)
    (void)pthread_cond_signal(&engine->returned);
  (void)pthread_mutex_unlock(&engine->mutex);
}

static void tell_publisher(void *ctx, const char *agent) {
  struct engine *engine = ctx;
  struct publisher_attachment *attachment = borrow_attachment(engine, true);

  if (!attachment) {
    (void)pthread_mutex_lock(&engine->mutex);
    doorbell_ring(&engine->button, &engine->project, agent);
    (void)pthread_mutex_unlock(&engine->mutex);
    return;
  }
  publisher_committed(attachment, agent);
  return_attachment(engine);
}

struct engine *engine_new(const struct config *config, const struct config_origins *origins,
                          struct messages *messages, struct error *error) {
  struct engine *engine = calloc(1, sizeof *engine);
  struct recorder_options options;

  if (!engine) {
    (void)error_set(error, KAIZEN_E_NOMEM, "out of memory");
    return NULL;
  }
  engine->messages = messages;
  doorbell_button_init(&engine->button);
  if (project_open(&engine->project, config->project_root, config->allow_network_fs,
                   config->fsync == CONFIG_FSYNC_ALWAYS, error) != 0) {
    free(engine);
    return NULL;
  }
  options = (struct recorder_options){
      .project = &engine->project,
      .slug = config->project,
      .sync = config->fsync == CONFIG_FSYNC_ALWAYS,
      .trend_window = (unsigned)config->trend_window,
      .lock_timeout_ms = config->lock_timeout_ms,
      .retention_days = config->retention_days,
      .messages = {messages_send, messages},
      .marked = tell_publisher,
      .marked_ctx = engine,
  };
  engine->recorder = recorder_new(&options);
  if (!engine->recorder) {
    (void)error_set(error, KAIZEN_E_NOMEM, "out of memory");
    project_close(&engine->project);
    free(engine);
    return NULL;
  }
  config_redact_url(config->nats_url, &engine->shown_url);
  buffer_append_byte(&engine->shown_url, '\0');
  (void)pthread_mutex_init(&engine->mutex, NULL);
  (void)pthread_cond_init(&engine->returned, NULL);
  engine->config = *config;
  engine->origins = *origins;
  return engine;
}

void engine_free(struct engine *engine) {
  if (!engine)
    return;
  recorder_free(engine->recorder);
  doorbell_button_close(&engine->button);
  project_close(&engine->project);
  config_fini(&engine->config);
  buffer_fini(&engine->shown_url);
  (void)pthread_cond_destroy(&engine->returned);
  (void)pthread_mutex_destroy(&engine->mutex);
  free(engine);
}

void engine_start(struct engine *engine) {
  (void)pthread_mutex_lock(&engine->mutex);
  engine->running = true;
  engine->attach_after_ns = 0;
  if (engine->config.emit_event)
    attach(engine);
  (void)pthread_mutex_unlock(&engine->mutex);
}

int engine_stop(struct engine *engine, int64_t deadline_ns) {
  struct publisher_attachment *attachment;
  uint64_t pending;
  int result = 0;

  (void)pthread_mutex_lock(&engine->mutex);
  engine->running = false;
  while (engine->attachment_users > 0)
    (void)pthread_cond_wait(&engine->returned, &engine->mutex);
  attachment = engine->attachment;
  engine->attachment = NULL;
  (void)pthread_mutex_unlock(&engine->mutex);
  if (!attachment)
    return 0;
  result = publisher_flush(attachment, deadline_ns, &pending);
  publisher_detach(attachment, deadline_ns);
  return result;
}

struct gauges {
  const struct project *project;
  uint64_t marked, acknowledged, pending, held, dead_lettered;
  int64_t last_acknowledged_unix_ns;
  int64_t oldest_pending_s; /* INT64_MAX: none */
};

static int add_agent(void *ctx, const char *agent) {
  struct gauges *gauges = ctx;
  struct agent_view view;

  /* one agent that cannot be read does not hide the others */
  if (agent_view_read(gauges->project, agent, &view, NULL) != 0)
    return 0;
  gauges->marked += view.fold.marked;
  gauges->acknowledged += view.acknowledged;
  gauges->pending += view.pending;
  gauges->held += view.held;
  gauges->dead_lettered += view.dead_lettered;
  if (view.oldest_pending_s > 0 && view.oldest_pending_s < gauges->oldest_pending_s)
    gauges->oldest_pending_s = view.oldest_pending_s;
  if (view.state.last_acknowledged_unix_ns > gauges->last_acknowledged_unix_ns)
    gauges->last_acknowledged_unix_ns = view.state.last_acknowledged_unix_ns;
  return 0;
}

static int read_gauges(const struct engine *engine, struct gauges *gauges, struct error *error) {
  *gauges = (struct gauges){.project = &engine->project, .oldest_pending_s = INT64_MAX};
  return project_each_agent(&engine->project, false, add_agent, gauges, error);
}

/* One look without an attachment of our own: another process publishes, or nobody. */
static int count_pending(struct engine *engine, uint64_t *pending, struct error *error) {
  struct gauges gauges;

  if (read_gauges(engine, &gauges, error) != 0)
    return -1;
  *pending = gauges.pending - gauges.held;
  /* emission is off and done here: nobody will publish, so there is nothing to wait for */
  if (engine->config.delivery == CONFIG_DELIVERY_IN_PROCESS && !engine->config.emit_event)
    return 0;
  return *pending > 0;
}

int engine_flush(struct engine *engine, int64_t deadline_ns, uint64_t *pending,
                 struct error *error) {
  for (;;) {
    struct publisher_attachment *attachment = borrow_attachment(engine, false);
    int64_t slice_ns = clock_monotonic_ns() + FLUSH_SLICE_NS;
    int result;

    if (attachment) {
      result =
          publisher_flush(attachment, slice_ns < deadline_ns ? slice_ns : deadline_ns, pending);
      return_attachment(engine);
    } else {
      result = count_pending(engine, pending, error);
    }
    if (result != 1 || !is_running(engine) || clock_monotonic_ns() >= deadline_ns)
      return result;
    if (!attachment)
      clock_pause_ns(FLUSH_POLL_NS);
  }
}

void engine_publisher_status(struct engine *engine, struct publisher_status *status) {
  memset(status, 0, sizeof *status);
  (void)pthread_mutex_lock(&engine->mutex);
  if (engine->attachment) {
    publisher_status(engine->attachment, status);
  } else if (engine->config.delivery == CONFIG_DELIVERY_RELAY) {
    status->state = KAIZEN_PUBLISHER_ELSEWHERE;
    (void)snprintf(status->reason, sizeof status->reason,
                   "delivery is \"relay\": kaizen-host drain --follow publishes");
  } else {
    status->state = KAIZEN_PUBLISHER_OFF;
    (void)snprintf(status->reason, sizeof status->reason, "%s",
                   !engine->running             ? "not started"
                   : !engine->config.emit_event ? "emit_event is false"
                                                : "no thread");
  }
  (void)pthread_mutex_unlock(&engine->mutex);
}

pid_t engine_publisher_holder(const struct engine *engine) {
  return publisher_holder(&engine->project);
}

void engine_stats(struct engine *engine, struct kaizen_stats *stats) {
  struct publisher_status status;
  struct gauges gauges;

  (void)read_gauges(engine, &gauges, NULL);
  engine_publisher_status(engine, &status);
  stats->marked = gauges.marked;
  stats->acknowledged = gauges.acknowledged;
  stats->pending = gauges.pending;
  stats->dead_lettered = gauges.dead_lettered;
  if (gauges.oldest_pending_s < INT64_MAX)
    stats->oldest_pending_unix_ns = gauges.oldest_pending_s * NS_PER_S;
  stats->publish_failures = status.publish_failures;
  stats->last_acknowledged_unix_ns = gauges.last_acknowledged_unix_ns;
  stats->publisher = status.state;
  (void)snprintf(stats->publisher_reason, sizeof stats->publisher_reason, "%s", status.reason);
}
