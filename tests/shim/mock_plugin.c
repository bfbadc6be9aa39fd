/* mock_plugin.c - a plugin that answers and keeps nothing: what a host can be tried against
 * without a project.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * It counts in memory, rejects a quality above 1, knows the keys project_root and emit_event,
 * and has no extensions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock_calls.h"

struct kaizen_instance {
  struct kaizen_host_v1 host;
  uint64_t recorded;
  char error[128];
};

static int32_t create(const struct kaizen_host_v1 *host, struct kaizen_instance **out) {
  *out = calloc(1, sizeof **out);
  if (*out == NULL)
    return KAIZEN_E_NOMEM;
  (*out)->host = *host;
  return KAIZEN_OK;
}

static int32_t configure_key(struct kaizen_instance *instance, const char *key, const char *value,
                             size_t len) {
  (void)value;
  (void)len;
  if (strcmp(key, "project_root") == 0 || strcmp(key, "emit_event") == 0)
    return KAIZEN_OK;
  snprintf(instance->error, sizeof instance->error, "unknown key %.100s", key);
  return KAIZEN_E_CONFIG;
}

static int32_t on_execution_end(struct kaizen_instance *instance,
                                const struct kaizen_execution *execution,
                                struct kaizen_receipt *receipt, struct kaizen_summary *summary) {
  if (execution->quality_score > 1) {
    if (receipt)
      snprintf(receipt->reason, sizeof receipt->reason, "quality_score %g is above 1",
               execution->quality_score);
    return KAIZEN_E_REJECTED;
  }
  instance->recorded++;
  if (summary) {
    summary->execution_count = instance->recorded;
    summary->success_rate = execution->outcome == KAIZEN_SUCCESS ? 1 : 0;
  }
  return KAIZEN_RECORDED;
}

/* Hands the text to the host's log, so that a test can see what arrived. */
static int32_t on_execution_end_json(struct kaizen_instance *instance, const char *json, size_t len,
                                     uint32_t flags, struct kaizen_receipt *receipt,
                                     struct kaizen_summary *summary) {
  (void)flags;
  (void)receipt;
  if (instance->host.log != NULL)
    instance->host.log(instance->host.ctx, KAIZEN_LOG_WARNING, 1, json, len);
  instance->recorded++;
  if (summary)
    summary->execution_count = instance->recorded;
  return KAIZEN_RECORDED;
}

static int32_t flush(struct kaizen_instance *instance, uint32_t timeout_ms, uint64_t *pending) {
  (void)instance;
  (void)timeout_ms;
  *pending = 0;
  return KAIZEN_OK;
}

static int32_t stats(struct kaizen_instance *instance, struct kaizen_stats *out) {
  out->recorded = instance->recorded;
  return KAIZEN_OK;
}

static size_t last_error(struct kaizen_instance *instance, char *buf, size_t cap) {
  snprintf(buf, cap, "%s", instance->error);
  return strlen(instance->error);
}

static int32_t stop(struct kaizen_instance *instance, uint32_t timeout_ms) {
  (void)instance;
  (void)timeout_ms;
  return KAIZEN_OK;
}

static void destroy(struct kaizen_instance *instance) {
  free(instance);
}

static const struct kaizen_plugin_v1 table = {
    MOCK_TABLE("mock"),
    .create = create,
    .configure_key = configure_key,
    .on_execution_end = on_execution_end,
    .on_execution_end_json = on_execution_end_json,
    .flush = flush,
    .stats = stats,
    .last_error = last_error,
    .stop = stop,
    .destroy = destroy,
};

const struct kaizen_plugin_v1 *kaizen_plugin_v1(void) {
  return &table;
}
