/* plugin.c - the table that a host is given, and the life of an instance.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <kaizen/extensions.h>
#include <kaizen/plugin.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"
#include "common/utf8.h"
#include "config/config_schema.h"
#include "edge/call.h"
#include "edge/extension_tables.h"
#include "edge/layout.h"
#include "edge/out_struct.h"
#include "edge/recording.h"

#define NS_PER_MS INT64_C(1000000)
#define NOT_RUNNING (CALL_IN_ANY_STATE & ~CALL_IN(INSTANCE_RUNNING))

_Static_assert((int)ERROR_BUSY == KAIZEN_E_BUSY && (int)ERROR_NO_MEMORY == KAIZEN_E_NOMEM &&
                   (int)ERROR_IO == KAIZEN_E_IO,
               "base/error.h and kaizen/plugin.h number the same failures");

static int64_t deadline_in(uint32_t timeout_ms) {
  return clock_monotonic_ns() + timeout_ms * NS_PER_MS;
}

static const char *code_name(int32_t code) {
  switch (code) {
  case KAIZEN_DUPLICATE:
    return "DUPLICATE";
  case KAIZEN_PENDING:
    return "PENDING";
  case KAIZEN_E_ARGUMENT:
    return "E_ARGUMENT";
  case KAIZEN_E_STATE:
    return "E_STATE";
  case KAIZEN_E_CONFIG:
    return "E_CONFIG";
  case KAIZEN_E_UNSUPPORTED:
    return "E_UNSUPPORTED";
  case KAIZEN_E_FORKED:
    return "E_FORKED";
  case KAIZEN_E_REJECTED:
    return "E_REJECTED";
  case KAIZEN_E_ENDED:
    return "E_ENDED";
  case KAIZEN_E_BUSY:
    return "E_BUSY";
  case KAIZEN_E_NOMEM:
    return "E_NOMEM";
  case KAIZEN_E_IO:
    return "E_IO";
  case KAIZEN_E_STOPPED:
    return "E_STOPPED";
  case KAIZEN_E_INDETERMINATE:
    return "E_INDETERMINATE";
  default:
    return code >= 0 ? "OK" : code > -64 ? "E_FINAL" : code > -96 ? "E_TRANSIENT" : "E_UNKNOWN";
  }
}

static int32_t create(const struct kaizen_host_v1 *host, struct kaizen_instance **out) {
  if (!out)
    return KAIZEN_E_ARGUMENT;
  *out = NULL;
  if (!host || host->struct_size < LAYOUT_1_0_HOST)
    return KAIZEN_E_ARGUMENT;
  if (host->abi_version >> 16 != KAIZEN_ABI_MAJOR || host->flags & CALL_MUST_KNOW)
    return KAIZEN_E_UNSUPPORTED;
  *out = instance_new(host);
  return *out ? KAIZEN_OK : KAIZEN_E_NOMEM;
}

/* ---- configuring ----------------------------------------------------------------------------- */

/* Applies instance->config.  Without a project root nothing is applied: start() then reports
 * that. */
static int apply_config(struct kaizen_instance *instance, struct error *error) {
  struct config config;
  struct config_origins origins = instance->origins;
  struct pipeline *pipeline = NULL;

  if (instance->config.project_root[0] == '\0') {
    instance_replace_pipeline(instance, NULL, INSTANCE_CREATED);
    return 0;
  }
  if (config_copy(&config, &instance->config, error) != 0)
    return -1;
  if (config_finish(&config, &origins, error) == 0)
    pipeline = pipeline_new(&config, &origins, instance->host.flags & KAIZEN_HOST_ONLY_READS,
                            &instance->log, error);
  if (!pipeline) {
    config_fini(&config);
    return -1;
  }
  instance_replace_pipeline(instance, pipeline, INSTANCE_CONFIGURED);
  return 0;
}

static void forget_config(struct kaizen_instance *instance) {
  config_fini(&instance->config);
  config_init(&instance->config, &instance->origins);
}

static int32_t configure(struct kaizen_instance *instance, const char *json, size_t len) {
  struct call call;
  struct span text = {json ? json : "", json ? (len == KAIZEN_NTS ? strlen(json) : len) : 0};
  int32_t code = call_begin(&call, instance, "configure", NOT_RUNNING);
  int result;

  if (code != KAIZEN_OK)
    return code;
  if (text.len == 0)
    text = (struct span){"{}", 2};
  forget_config(instance);
  result = config_merge_json(&instance->config, &instance->origins, text, &call.error);
  if (result == 0)
    result = apply_config(instance, &call.error);
  if (result != 0) {
    forget_config(instance);
    instance_replace_pipeline(instance, NULL, INSTANCE_CREATED);
  }
  return call_end(&call, result);
}

/* Sets one key; a value that cannot be applied leaves everything as it was. */
static int set_key(struct kaizen_instance *instance, const char *key, struct span value,
                   struct error *error) {
  struct config kept;
  struct config_origins kept_origins = instance->origins;
  int result;

  if (config_copy(&kept, &instance->config, error) != 0)
    return -1;
  result = config_merge_text(&instance->config, &instance->origins, key, value, error);
  if (result == 0)
    result = apply_config(instance, error);
  if (result != 0) {
    struct config refused = instance->config;

    instance->config = kept;
    instance->origins = kept_origins;
    kept = refused;
  }
  config_fini(&kept);
  return result;
}

static int32_t configure_key(struct kaizen_instance *instance, const char *key, const char *value,
                             size_t len) {
  struct call call;
  int32_t code;

  if (!key || !value)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "configure_key: key or value is NULL");
  code = call_begin(&call, instance, "configure_key", NOT_RUNNING);
  if (code != KAIZEN_OK)
    return code;
  return call_end(&call, set_key(instance, key,
                                 (struct span){value, len == KAIZEN_NTS ? strlen(value) : len},
                                 &call.error));
}

/* ---- running --------------------------------------------------------------------------------- */

static int32_t start(struct kaizen_instance *instance) {
  struct call call;
  int32_t code = call_begin(&call, instance, "start",
                            CALL_IN(INSTANCE_CONFIGURED) | CALL_IN(INSTANCE_STOPPED));

  if (code != KAIZEN_OK)
    return code;
  if (instance->host.flags & KAIZEN_HOST_ONLY_READS)
    return call_end(
        &call, error_set(&call.error, KAIZEN_E_STATE, "start: the host said that it only reads"));
  pipeline_start(call.pipeline);
  instance_set_state(instance, INSTANCE_RUNNING);
  return call_end(&call, KAIZEN_OK);
}

static int32_t flush(struct kaizen_instance *instance, uint32_t timeout_ms, uint64_t *pending) {
  struct call call;
  uint64_t left = 0;
  int32_t code = call_begin(&call, instance, "flush", CALL_WHILE_RUNNING);
  int result;

  if (pending)
    *pending = 0;
  if (code != KAIZEN_OK)
    return code;
  result = pipeline_flush(call.pipeline, deadline_in(timeout_ms), &left, &call.error);
  if (pending)
    *pending = left;
  return call_end(&call, result == 1 ? KAIZEN_PENDING : result);
}

static int32_t stats(struct kaizen_instance *instance, struct kaizen_stats *out) {
  struct call call;
  struct kaizen_stats ours = {0};
  int32_t code;

  if (!out || out->struct_size < LAYOUT_1_0_STATS)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "stats: the out-struct is NULL or too small");
  code = call_begin(&call, instance, "stats", CALL_IN_ANY_STATE);
  if (code != KAIZEN_OK) {
    out_struct_write(out, &ours, sizeof ours);
    return code;
  }
  ours.state = (int32_t)call.state;
  ours.recorded = atomic_load(&instance->recorded);
  ours.duplicates = atomic_load(&instance->duplicates);
  ours.rejected = atomic_load(&instance->rejected);
  ours.failed = atomic_load(&instance->failed);
  if (call.pipeline)
    pipeline_stats(call.pipeline, &ours);
  out_struct_write(out, &ours, sizeof ours);
  return call_end(&call, KAIZEN_OK);
}

static size_t last_error(struct kaizen_instance *instance, char *buf, size_t cap) {
  size_t len;

  if (!instance || instance->process != process_number())
    return 0;
  (void)pthread_mutex_lock(&instance->mutex);
  len = strlen(instance->last_error.text);
  if (buf && cap > 0)
    out_struct_set_text(buf, cap, instance->last_error.text);
  (void)pthread_mutex_unlock(&instance->mutex);
  return len;
}

static int32_t stop(struct kaizen_instance *instance, uint32_t timeout_ms) {
  struct call call;
  int64_t deadline_ns = deadline_in(timeout_ms);
  int32_t code = call_begin(&call, instance, "stop", CALL_IN(INSTANCE_RUNNING));
  int result;

  if (code != KAIZEN_OK)
    return code;
  instance_set_state(instance, INSTANCE_STOPPED);
  result = pipeline_stop(call.pipeline, deadline_ns, &call.error);
  if (result < 0) /* it is stopped all the same, but events may be left */
    (void)instance_fail(instance, &call.error);
  return call_end(&call, result != 0 ? KAIZEN_PENDING : KAIZEN_OK);
}

static void destroy(struct kaizen_instance *instance) {
  if (!instance || instance->process != process_number())
    return; /* a child's copy: the files belong to the parent */
  if (instance->state == INSTANCE_RUNNING)
    (void)stop(instance, 0);
  instance_free(instance);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const void *get_extension(const char *id) {
  static const struct {
    const char *id;
    const void *table;
  } extensions[] = {
      {KAIZEN_INSPECT_1, &inspect_extension}, {KAIZEN_QUERY_1, &query_extension},
      {KAIZEN_BATCH_1, &batch_extension},     {KAIZEN_DELIVERY_1, &delivery_extension},
      {KAIZEN_BROKER_1, &broker_extension},   {KAIZEN_REPAIR_1, &repair_extension},
      {KAIZEN_NAMES_1, &names_extension},     {KAIZEN_SPAN_1, &span_extension},
  };
  size_t i;

  for (i = 0; id && i < sizeof extensions / sizeof *extensions; i++)
    if (strcmp(id, extensions[i].id) == 0)
      return extensions[i].table;
  return NULL;
}

static struct kaizen_plugin_v1 plugin = {
    .struct_size = sizeof plugin,
    .abi_version = KAIZEN_ABI_VERSION,
    .id = "kaizen.metrics",
    .version = PACKAGE_VERSION,
    .code_name = code_name,
    .create = create,
    .configure = configure,
    .configure_key = configure_key,
    .start = start,
    .on_execution_end = recording_on_execution_end,
    .on_execution_end_json = recording_on_execution_end_json,
    .flush = flush,
    .stats = stats,
    .last_error = last_error,
    .stop = stop,
    .destroy = destroy,
    .get_extension = get_extension,
};

static void complete_table(void) {
  plugin.config_schema = config_schema();
}

const struct kaizen_plugin_v1 *kaizen_plugin_v1(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  (void)pthread_once(&once, complete_table);
  return &plugin;
}
