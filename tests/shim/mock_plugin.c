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

#include <kaizen/plugin.h>

struct kaizen_instance {
  struct kaizen_host_v1 host;
  uint64_t recorded;
  char error[128];
};

static const char *code_name(int32_t code) {
  return code == KAIZEN_RECORDED     ? "RECORDED"
         : code == KAIZEN_E_REJECTED ? "REJECTED"
         : code == KAIZEN_E_CONFIG   ? "CONFIG"
                                     : "OTHER";
}

static int32_t create(const struct kaizen_host_v1 *host, struct kaizen_instance **out) {
  *out = calloc(1, sizeof **out);
  if (*out == NULL)
    return KAIZEN_E_NOMEM;
  (*out)->host = *host;
  return KAIZEN_OK;
}

static int32_t configure(struct kaizen_instance *instance, const char *json, size_t len) {
  (void)instance;
  (void)json;
  (void)len;
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

static int32_t start(struct kaizen_instance *instance) {
  (void)instance;
  return KAIZEN_OK;
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

static const void *get_extension(const char *id) {
  (void)id;
  return NULL;
}

static const struct kaizen_plugin_v1 table = {
    .struct_size = sizeof table,
    .abi_version = KAIZEN_ABI_VERSION,
    .id = "mock",
    .version = "1",
    .config_schema = "{}",
    .code_name = code_name,
    .create = create,
    .configure = configure,
    .configure_key = configure_key,
    .start = start,
    .on_execution_end = on_execution_end,
    .on_execution_end_json = on_execution_end_json,
    .flush = flush,
    .stats = stats,
    .last_error = last_error,
    .stop = stop,
    .destroy = destroy,
    .get_extension = get_extension,
};

const struct kaizen_plugin_v1 *kaizen_plugin_v1(void) {
  return &table;
}
