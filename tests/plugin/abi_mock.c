/* abi_mock.c - a plugin as another version of the ABI might have it: tests/plugin/abi_time.sh
 * compiles it many times.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * -DTABLE_SIZE=N   its table claims N bytes
 * -DMISSING=NAME   that member is NULL
 * -DLATER          a later minor version: two more functions, a longer table and longer out-structs
 * It counts in memory and keeps nothing. */
#include <stdlib.h>
#include <string.h>

#include <kaizen/plugin.h>

struct kaizen_instance {
  uint64_t recorded;
};

/* Writes at most what the caller has room for; what this version knows beyond its 1.0 layout is
 * 0x77. */
static int32_t put(void *out, const void *ours, size_t ours_size, size_t least) {
  unsigned char later[512];
  uint32_t caller_size;
  if (out == NULL)
    return KAIZEN_OK;
  memcpy(&caller_size, out, sizeof caller_size);
  if (caller_size < least)
    return KAIZEN_E_ARGUMENT;
  memset(later, 0, sizeof later);
  memcpy(later, ours, ours_size);
#ifdef LATER
  memset(later + ours_size, 0x77, 24);
#endif
  memcpy((char *)out + sizeof caller_size, later + sizeof caller_size,
         caller_size - sizeof caller_size);
  return KAIZEN_OK;
}

static const char *code_name(int32_t code) {
  return code == KAIZEN_RECORDED ? "RECORDED" : "OTHER";
}

static int32_t create(const struct kaizen_host_v1 *host, struct kaizen_instance **out) {
  (void)host;
  *out = calloc(1, sizeof **out);
  return *out ? KAIZEN_OK : KAIZEN_E_NOMEM;
}

static int32_t configure(struct kaizen_instance *instance, const char *json, size_t len) {
  (void)instance, (void)json, (void)len;
  return KAIZEN_OK;
}

static int32_t configure_key(struct kaizen_instance *instance, const char *key, const char *value,
                             size_t len) {
  (void)instance, (void)key, (void)value, (void)len;
  return KAIZEN_OK;
}

static int32_t start(struct kaizen_instance *instance) {
  (void)instance;
  return KAIZEN_OK;
}

static int32_t answer(struct kaizen_instance *instance, struct kaizen_receipt *receipt,
                      struct kaizen_summary *summary) {
  struct kaizen_receipt our_receipt = {0};
  struct kaizen_summary our_summary = {0};
  our_summary.execution_count = ++instance->recorded;
  our_summary.success_rate = 1;
  return put(receipt, &our_receipt, sizeof our_receipt, sizeof our_receipt) < 0 ||
                 put(summary, &our_summary, sizeof our_summary, sizeof our_summary) < 0
             ? KAIZEN_E_ARGUMENT
             : KAIZEN_RECORDED;
}

static int32_t on_execution_end(struct kaizen_instance *instance,
                                const struct kaizen_execution *execution,
                                struct kaizen_receipt *receipt, struct kaizen_summary *summary) {
  (void)execution;
  return answer(instance, receipt, summary);
}

static int32_t on_execution_end_json(struct kaizen_instance *instance, const char *json, size_t len,
                                     uint32_t flags, struct kaizen_receipt *receipt,
                                     struct kaizen_summary *summary) {
  (void)flags;
  (void)json, (void)len;
  return answer(instance, receipt, summary);
}

static int32_t flush(struct kaizen_instance *instance, uint32_t timeout_ms, uint64_t *pending) {
  (void)instance, (void)timeout_ms;
  *pending = 0;
  return KAIZEN_OK;
}

static int32_t stats(struct kaizen_instance *instance, struct kaizen_stats *out) {
  struct kaizen_stats ours = {0};
  ours.recorded = instance->recorded;
  return put(out, &ours, sizeof ours, sizeof ours);
}

static size_t last_error(struct kaizen_instance *instance, char *buf, size_t cap) {
  (void)instance;
  if (cap > 0)
    buf[0] = '\0';
  return 0;
}

static int32_t stop(struct kaizen_instance *instance, uint32_t timeout_ms) {
  (void)instance, (void)timeout_ms;
  return KAIZEN_OK;
}

static void destroy(struct kaizen_instance *instance) {
  free(instance);
}

static const void *get_extension(const char *id) {
  (void)id;
  return NULL;
}

static struct {
  struct kaizen_plugin_v1 v1;
  void (*later[2])(void);
} table = {.v1 = {
#ifdef LATER
               .struct_size = sizeof table,
               .abi_version = KAIZEN_ABI_VERSION + 3,
#else
               .struct_size = sizeof table.v1,
               .abi_version = KAIZEN_ABI_VERSION,
#endif
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
           }};

const struct kaizen_plugin_v1 *kaizen_plugin_v1(void) {
#ifdef TABLE_SIZE
  table.v1.struct_size = TABLE_SIZE;
#endif
#ifdef MISSING
  table.v1.MISSING = NULL;
#endif
  return &table.v1;
}
