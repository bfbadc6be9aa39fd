/* instance.c - how a call enters an instance and leaves it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "edge/instance.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define SECONDS_PER_DAY INT64_C(86400)
#define NS_PER_S INT64_C(1000000000)

int32_t call_enter(struct call *call, struct kaizen_instance *instance, unsigned allowed_states) {
  int32_t code = KAIZEN_OK;

  if (!instance)
    return KAIZEN_E_ARGUMENT;
  if (instance->pid != getpid())
    return KAIZEN_E_FORKED;
  host_guard_enter(&call->guard);
  call->instance = instance;
  (void)pthread_mutex_lock(&instance->mutex);
  call->state = instance->state;
  if (IN_STATE(call->state) & allowed_states) {
    call->engine = instance->engine;
    if (call->engine)
      call->engine->users++;
  } else {
    code = KAIZEN_E_STATE;
  }
  (void)pthread_mutex_unlock(&instance->mutex);
  if (code != KAIZEN_OK)
    host_guard_leave(&call->guard);
  return code;
}

void call_leave(struct call *call) {
  struct kaizen_instance *instance = call->instance;
  bool last = false;

  if (call->engine) {
    (void)pthread_mutex_lock(&instance->mutex);
    last = --call->engine->users == 0;
    (void)pthread_mutex_unlock(&instance->mutex);
  }
  if (last)
    engine_free(call->engine);
  messages_deliver(&instance->messages);
  host_guard_leave(&call->guard);
}

void out_write(void *out, const void *ours, size_t our_size) {
  uint32_t size;

  if (!out)
    return;
  memcpy(&size, out, sizeof size);
  memcpy((char *)out + sizeof size, (const char *)ours + sizeof size,
         (size < our_size ? size : our_size) - sizeof size);
  if (size > our_size)
    memset((char *)out + our_size, 0, size - our_size);
}

void out_write_summary(struct kaizen_summary *out, const struct summary *summary) {
  struct kaizen_summary ours = {
      .flags = (summary->has_quality ? KAIZEN_SUMMARY_HAS_QUALITY : 0u) |
               (summary->has_time ? KAIZEN_SUMMARY_HAS_TIME : 0u),
      .execution_count = summary->execution_count,
      .success_rate = summary->success_rate,
      .avg_quality_score = summary->avg_quality_score,
      .avg_execution_time_s = summary->avg_execution_time_s,
      .last_execution_unix_ns =
          summary->last_execution_s > 0 ? summary->last_execution_s * NS_PER_S : 0,
      .trend_success_rate = summary->trend_success_rate,
      .trend_quality_score = summary->trend_quality_score,
  };

  out_write(out, &ours, sizeof ours);
}

int instance_take_name(struct kaizen_str agent, char name[AGENT_NAME_MAX + 1],
                       struct error *error) {
  struct span span = {agent.ptr,
                      agent.ptr && agent.len == KAIZEN_NTS ? strlen(agent.ptr) : agent.len};

  if (!span.ptr)
    return error_set(error, KAIZEN_E_REJECTED, "agent: not given");
  if (agent_name_check(span, error) != 0)
    return -1;
  memcpy(name, span.ptr, span.len);
  name[span.len] = '\0';
  return 0;
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

void instance_limits(const struct call *call, int64_t now_ns, struct execution_limits *limits) {
  const struct config *config = &call->engine->config;
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
