/* delivery_extension.c - kaizen.delivery/1: an operator's decisions about events.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/delivery.h"

#include "edge/call.h"
#include "edge/extension_tables.h"

static int32_t delivery_resend_since(struct kaizen_instance *instance, int64_t since_unix_ns,
                                     uint64_t *count) {
  struct call call;
  int32_t code;

  if (!count)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "resend: count is NULL");
  *count = 0;
  code = call_begin(&call, instance, "resend", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  return call_end(&call,
                  delivery_resend(&call.pipeline->project, since_unix_ns,
                                  call.pipeline->config.lock_timeout_ms, count, &call.error));
}

static int32_t delivery_assume_held_sent(struct kaizen_instance *instance, uint64_t *count) {
  struct call call;
  int32_t code;

  if (!count)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "assume_sent: count is NULL");
  *count = 0;
  code = call_begin(&call, instance, "assume_sent", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  return call_end(&call,
                  delivery_assume_sent(&call.pipeline->project,
                                       call.pipeline->config.lock_timeout_ms, count, &call.error));
}

static int32_t delivery_list_dead_letters(struct kaizen_instance *instance, kaizen_sink sink,
                                          void *ctx) {
  struct call call;
  int32_t code;

  if (!sink)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "dead_letters: sink is NULL");
  code = call_begin(&call, instance, "dead_letters", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  return call_end(&call, delivery_dead_letters(&call.pipeline->project, sink, ctx, &call.error));
}

static int32_t delivery_retry_all(struct kaizen_instance *instance, uint64_t *count) {
  struct call call;
  int32_t code;

  if (!count)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "retry_dead_letters: count is NULL");
  *count = 0;
  code = call_begin(&call, instance, "retry_dead_letters", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  return call_end(&call, delivery_retry_dead_letters(&call.pipeline->project,
                                                     call.pipeline->config.lock_timeout_ms, count,
                                                     &call.error));
}

const struct kaizen_delivery_1 delivery_extension = {
    .resend = delivery_resend_since,
    .assume_sent = delivery_assume_held_sent,
    .dead_letters = delivery_list_dead_letters,
    .retry_dead_letters = delivery_retry_all,
};
