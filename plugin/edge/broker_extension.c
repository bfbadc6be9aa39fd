/* broker_extension.c - kaizen.broker/1: checking the broker and setting it up.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker.h"
#include "broker/broker_watch.h"
#include "edge/call.h"
#include "edge/extension_tables.h"

/* Ends a call that has a report, which also says why the broker cannot be used. */
static int32_t end_with_report(struct call *call, int result, struct buffer *report,
                               kaizen_sink sink, void *ctx) {
  struct error error = call->error;
  int sent = call_send_report(call, report, sink, ctx);

  if (result != 0)
    call->error = error; /* comes first: without it there may be nothing to send */
  return call_end(call, result != 0 ? result : sent);
}

static int32_t broker_look(struct kaizen_instance *instance, uint32_t timeout_ms, kaizen_sink sink,
                           void *ctx) {
  struct transport_settings settings;
  struct buffer report = {0};
  struct call call;
  int32_t code;

  if (!sink)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "check: sink is NULL");
  code = call_begin(&call, instance, "check", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  pipeline_transport_settings(call.pipeline, &settings);
  return end_with_report(&call, broker_check(&settings, timeout_ms, &report, &call.error), &report,
                         sink, ctx);
}

static int32_t broker_make_stream(struct kaizen_instance *instance, const char *name,
                                  uint32_t replicas, uint32_t flags, uint32_t timeout_ms,
                                  kaizen_sink sink, void *ctx) {
  struct transport_settings settings;
  struct buffer report = {0};
  struct call call;
  uint32_t unknown = flags & CALL_MUST_KNOW & ~(uint32_t)KAIZEN_BROKER_DRY_RUN;
  int32_t code;
  int result;

  if (!sink)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "init: sink is NULL");
  if (unknown)
    return call_refuse(instance, KAIZEN_E_UNSUPPORTED, "init: flag bits 0x%x are unknown here",
                       unknown);
  code = call_begin(&call, instance, "init", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  pipeline_transport_settings(call.pipeline, &settings);
  result = broker_init(&settings, name, replicas, flags & KAIZEN_BROKER_DRY_RUN, timeout_ms,
                       &report, &call.error);
  return end_with_report(&call, result, &report, sink, ctx);
}

static int32_t broker_watch_events(struct kaizen_instance *instance, uint32_t timeout_ms,
                                   kaizen_sink sink, void *ctx) {
  struct transport_settings settings;
  struct call call;
  int32_t code;

  if (!sink)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "watch: sink is NULL");
  code = call_begin(&call, instance, "watch", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  pipeline_transport_settings(call.pipeline, &settings);
  return call_end(&call, broker_watch(&settings, timeout_ms, sink, ctx, &call.error));
}

const struct kaizen_broker_1 broker_extension = {
    .check = broker_look,
    .init = broker_make_stream,
    .watch = broker_watch_events,
};
