/* call.c - how a host's call enters an instance, and how it ends.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "edge/call.h"

#include <stdarg.h>
#include <string.h>

#include "base/process.h"

static int32_t refuse_state(struct call *call, struct kaizen_instance *instance, const char *name,
                            int32_t code) {
  static const struct {
    const char *state, *advice;
  } states[] = {
      [INSTANCE_CREATED] = {"before it is configured", "configure project_root first"},
      [INSTANCE_CONFIGURED] = {"before start()", "call start() first"},
      [INSTANCE_RUNNING] = {"while running", "stop first, or use a second instance"},
      [INSTANCE_STOPPED] = {"while stopped", "call start() first"},
  };

  (void)error_set(&call->error, code, "%s%snot %s; %s", name ? name : "", name ? ": " : "",
                  states[call->state].state, states[call->state].advice);
  return name ? instance_fail(instance, &call->error) : code;
}

int32_t call_begin(struct call *call, struct kaizen_instance *instance, const char *name,
                   unsigned allowed_states) {
  bool allowed;

  *call = (struct call){.instance = instance};
  if (!instance) {
    (void)error_set(&call->error, KAIZEN_E_ARGUMENT, "no instance is given");
    return KAIZEN_E_ARGUMENT;
  }
  if (instance->process != process_number()) {
    (void)error_set(&call->error, KAIZEN_E_FORKED,
                    "this instance belongs to the parent process; create one here");
    return KAIZEN_E_FORKED;
  }
  host_guard_enter(&call->guard);
  (void)pthread_mutex_lock(&instance->mutex);
  call->state = instance->state;
  allowed = CALL_IN(call->state) & allowed_states;
  if (allowed) {
    call->pipeline = instance->pipeline;
    if (call->pipeline)
      call->pipeline->users++;
  }
  (void)pthread_mutex_unlock(&instance->mutex);
  if (allowed)
    return KAIZEN_OK;
  host_guard_leave(&call->guard);
  return refuse_state(call, instance, name,
                      allowed_states & CALL_NOT_NOW ? KAIZEN_E_STOPPED : KAIZEN_E_STATE);
}

void call_leave(struct call *call) {
  struct kaizen_instance *instance = call->instance;
  bool last = false;

  if (call->pipeline) {
    (void)pthread_mutex_lock(&instance->mutex);
    last = --call->pipeline->users == 0;
    (void)pthread_mutex_unlock(&instance->mutex);
  }
  if (last)
    pipeline_free(call->pipeline);
  host_log_deliver(&instance->log);
  host_guard_leave(&call->guard);
}

int32_t call_end(struct call *call, int32_t result) {
  int32_t code = result < 0 ? instance_fail(call->instance, &call->error) : result;

  call_leave(call);
  return code;
}

int32_t call_refuse(struct kaizen_instance *instance, int32_t code, const char *format, ...) {
  struct error error = {.code = code};
  va_list arguments;

  va_start(arguments, format);
  error_set_va(&error, code, format, arguments);
  va_end(arguments);
  if (instance && instance->process == process_number())
    (void)instance_fail(instance, &error);
  return code;
}

int call_take_agent(struct call *call, const char *agent, size_t len,
                    char name[AGENT_NAME_MAX + 1]) {
  struct span span = {agent, agent && len == KAIZEN_NTS ? strlen(agent) : len};

  if (!span.ptr)
    return error_set(&call->error, KAIZEN_E_REJECTED, "agent: not given");
  if (agent_name_check(span, &call->error) != 0)
    return -1;
  memcpy(name, span.ptr, span.len);
  name[span.len] = '\0';
  return 0;
}

int call_no_such_agent(struct call *call, const char *name) {
  return error_set(&call->error, KAIZEN_E_REJECTED, "agent %s: nothing has been recorded", name);
}

int call_send_report(struct call *call, struct buffer *report, kaizen_sink sink, void *ctx) {
  int result = 0;

  if (report->failed)
    result = error_set(&call->error, KAIZEN_E_NOMEM, "out of memory");
  else if (report->len > 0 && sink(ctx, report->data, report->len) != 0)
    result = error_set(&call->error, KAIZEN_E_ENDED, "the sink ended the output");
  buffer_fini(report);
  return result;
}
