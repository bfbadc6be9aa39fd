/* operator.c - kaizen.delivery/1 and kaizen.broker/1: what operators decide about events, and the
 * broker's set-up.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "broker/broker.h"
#include "edge/instance.h"
#include "store/delivery.h"

#define READY                                                                                      \
  (IN_STATE(INSTANCE_CONFIGURED) | IN_STATE(INSTANCE_RUNNING) | IN_STATE(INSTANCE_STOPPED))

/* Ends a call that fails with *error: its text is what last_error gives. */
static int32_t finish(struct call *call, int result, const struct error *error) {
  int32_t code = result == 0 ? KAIZEN_OK : instance_fail(call->instance, error);

  call_leave(call);
  return code;
}

static int32_t resend(struct kaizen_instance *instance, int64_t since_unix_ns, uint64_t *count) {
  struct call call;
  struct error error = {0};
  int32_t code;

  if (!count)
    return KAIZEN_E_ARGUMENT;
  *count = 0;
  code = call_enter(&call, instance, READY);
  if (code != KAIZEN_OK)
    return code;
  return finish(&call,
                delivery_resend(&call.engine->project, since_unix_ns,
                                call.engine->config.lock_timeout_ms, count, &error),
                &error);
}

static int32_t assume_sent(struct kaizen_instance *instance, uint64_t *count) {
  struct call call;
  struct error error = {0};
  int32_t code;

  if (!count)
    return KAIZEN_E_ARGUMENT;
  *count = 0;
  code = call_enter(&call, instance, READY);
  if (code != KAIZEN_OK)
    return code;
  return finish(&call,
                delivery_assume_sent(&call.engine->project, call.engine->config.lock_timeout_ms,
                                     count, &error),
                &error);
}

static int32_t dead_letters(struct kaizen_instance *instance, kaizen_sink sink, void *ctx) {
  struct call call;
  struct error error = {0};
  int32_t code;

  if (!sink)
    return KAIZEN_E_ARGUMENT;
  code = call_enter(&call, instance, READY);
  if (code != KAIZEN_OK)
    return code;
  return finish(&call, delivery_dead_letters(&call.engine->project, sink, ctx, &error), &error);
}

static int32_t retry_dead_letters(struct kaizen_instance *instance, uint64_t *count) {
  struct call call;
  struct error error = {0};
  int32_t code;

  if (!count)
    return KAIZEN_E_ARGUMENT;
  *count = 0;
  code = call_enter(&call, instance, READY);
  if (code != KAIZEN_OK)
    return code;
  return finish(&call,
                delivery_retry_dead_letters(&call.engine->project,
                                            call.engine->config.lock_timeout_ms, count, &error),
                &error);
}

const struct kaizen_delivery_1 delivery_extension = {
    .resend = resend,
    .assume_sent = assume_sent,
    .dead_letters = dead_letters,
    .retry_dead_letters = retry_dead_letters,
};

/* Hands the report over, also when the broker cannot be used: it says why. */
static int32_t finish_report(struct call *call, int result, struct buffer *report,
                             const struct error *error, kaizen_sink sink, void *ctx) {
  int32_t sent = report->failed                                                 ? KAIZEN_E_NOMEM
                 : report->len > 0 && sink(ctx, report->data, report->len) != 0 ? KAIZEN_E_IO
                                                                                : 0;

  buffer_fini(report);
  if (result == 0 && sent != 0) {
    call_leave(call);
    return sent;
  }
  return finish(call, result, error);
}

static int32_t check(struct kaizen_instance *instance, uint32_t timeout_ms, kaizen_sink sink,
                     void *ctx) {
  struct transport_settings settings;
  struct buffer report = {0};
  struct error error = {0};
  struct call call;
  int32_t code;
  int result;

  if (!sink)
    return KAIZEN_E_ARGUMENT;
  code = call_enter(&call, instance, READY);
  if (code != KAIZEN_OK)
    return code;
  engine_transport_settings(call.engine, &settings);
  result = broker_check(&settings, timeout_ms, &report, &error);
  return finish_report(&call, result, &report, &error, sink, ctx);
}

static int32_t init(struct kaizen_instance *instance, const char *name, uint32_t replicas,
                    uint32_t dry_run, uint32_t timeout_ms, kaizen_sink sink, void *ctx) {
  struct transport_settings settings;
  struct buffer report = {0};
  struct error error = {0};
  struct call call;
  int32_t code;
  int result;

  if (!sink)
    return KAIZEN_E_ARGUMENT;
  code = call_enter(&call, instance, READY);
  if (code != KAIZEN_OK)
    return code;
  engine_transport_settings(call.engine, &settings);
  result = broker_init(&settings, name, replicas, dry_run != 0, timeout_ms, &report, &error);
  return finish_report(&call, result, &report, &error, sink, ctx);
}

static int32_t watch(struct kaizen_instance *instance, uint32_t timeout_ms, kaizen_sink sink,
                     void *ctx) {
  struct transport_settings settings;
  struct error error = {0};
  struct call call;
  int32_t code;

  if (!sink)
    return KAIZEN_E_ARGUMENT;
  code = call_enter(&call, instance, READY);
  if (code != KAIZEN_OK)
    return code;
  engine_transport_settings(call.engine, &settings);
  return finish(&call, broker_watch(&settings, timeout_ms, sink, ctx, &error), &error);
}

const struct kaizen_broker_1 broker_extension = {.check = check, .init = init, .watch = watch};
