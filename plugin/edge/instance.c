/* instance.c - what a host's opaque handle points at.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "edge/instance.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"

#define SECONDS_PER_DAY INT64_C(86400)
#define NS_PER_S INT64_C(1000000000)

struct kaizen_instance *instance_new(const struct kaizen_host_v1 *host) {
  struct kaizen_instance *instance = calloc(1, sizeof *instance);

  if (!instance)
    return NULL;
  memcpy(&instance->host, host,
         host->struct_size < sizeof *host ? host->struct_size : sizeof *host);
  /* the caller's texts may be gone after create() */
  instance->host.name = instance->host.version = NULL;
  if (instance->host.log_level == 0)
    instance->host.log_level = KAIZEN_LOG_WARNING;
  instance->process = process_number();
  (void)pthread_mutex_init(&instance->mutex, NULL);
  host_log_init(&instance->log, &instance->host);
  config_init(&instance->config, &instance->origins);
  return instance;
}

void instance_free(struct kaizen_instance *instance) {
  instance_replace_pipeline(instance, NULL, INSTANCE_CREATED);
  config_fini(&instance->config);
  host_log_fini(&instance->log);
  (void)pthread_mutex_destroy(&instance->mutex);
  free(instance);
}

void instance_replace_pipeline(struct kaizen_instance *instance, struct pipeline *pipeline,
                               enum instance_state state) {
  struct pipeline *old;
  bool last;

  if (pipeline)
    pipeline->users = 1;
  (void)pthread_mutex_lock(&instance->mutex);
  old = instance->pipeline;
  instance->pipeline = pipeline;
  instance->state = state;
  last = old && --old->users == 0;
  (void)pthread_mutex_unlock(&instance->mutex);
  if (last)
    pipeline_free(old);
}

void instance_set_state(struct kaizen_instance *instance, enum instance_state state) {
  (void)pthread_mutex_lock(&instance->mutex);
  instance->state = state;
  (void)pthread_mutex_unlock(&instance->mutex);
}

int32_t instance_fail(struct kaizen_instance *instance, const struct error *error) {
  (void)pthread_mutex_lock(&instance->mutex);
  instance->last_error = *error;
  (void)pthread_mutex_unlock(&instance->mutex);
  return error->code;
}

int64_t instance_now_ns(const struct kaizen_instance *instance) {
  return instance->host.now_unix_ns ? instance->host.now_unix_ns(instance->host.ctx)
                                    : clock_wall_ns();
}

void instance_limits(const struct pipeline *pipeline, int64_t now_ns,
                     struct execution_limits *limits) {
  const struct config *config = &pipeline->config;
  int64_t now_s = now_ns / NS_PER_S;

  *limits = (struct execution_limits){
      .now_s = now_s,
      .oldest_s =
          config->retention_days > 0 ? now_s - config->retention_days * SECONDS_PER_DAY : INT64_MIN,
      .max_record_bytes = (size_t)config->max_record_bytes,
      .emit_default = config->emit_event,
  };
}

void instance_count(struct kaizen_instance *instance, int32_t code) {
  atomic_uint_fast64_t *counter = code == KAIZEN_RECORDED    ? &instance->recorded
                                  : code == KAIZEN_DUPLICATE ? &instance->duplicates
                                  : code <= -64              ? &instance->failed
                                                             : &instance->rejected;

  (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}
