/* mock_ill_mannered.c - a plugin that does to its host what no plugin should: compiled once for
 * each of HANGS, CRASHES, ABORTS, EXITS, TALKS, HANGS_IN_FLUSH and HANGS_IN_STOP.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mock_calls.h"

struct kaizen_instance {
  int unused;
};

static void hang(void) {
  for (;;)
    pause();
}

static int32_t create(const struct kaizen_host_v1 *host, struct kaizen_instance **out) {
  static struct kaizen_instance instance;
  (void)host;
  *out = &instance;
  return KAIZEN_OK;
}

static int32_t configure_key(struct kaizen_instance *instance, const char *key, const char *value,
                             size_t len) {
  (void)key;
  return mock_configure(instance, value, len);
}

static int32_t on_execution_end(struct kaizen_instance *instance,
                                const struct kaizen_execution *execution,
                                struct kaizen_receipt *receipt, struct kaizen_summary *summary) {
  (void)instance;
  (void)execution;
  (void)receipt;
  (void)summary;
#if defined(HANGS)
  hang();
#elif defined(CRASHES)
  signal(SIGSEGV, SIG_DFL); /* a sanitizer's report would be about this, not about the host */
  raise(SIGSEGV);
#elif defined(ABORTS)
  abort();
#elif defined(EXITS)
  exit(2);
#elif defined(TALKS)
  puts("{\"decision\": \"block\"}");
  fflush(stdout);
  if (write(STDOUT_FILENO, "{}\n", 3) < 0)
    return KAIZEN_E_IO;
#endif
  return KAIZEN_RECORDED;
}

static int32_t on_execution_end_json(struct kaizen_instance *instance, const char *json, size_t len,
                                     uint32_t flags, struct kaizen_receipt *receipt,
                                     struct kaizen_summary *summary) {
  (void)flags;
  (void)json;
  (void)len;
  return on_execution_end(instance, NULL, receipt, summary);
}

static int32_t flush(struct kaizen_instance *instance, uint32_t timeout_ms, uint64_t *pending) {
  (void)instance;
  (void)timeout_ms;
#ifdef HANGS_IN_FLUSH
  hang();
#endif
  *pending = 0;
  return KAIZEN_OK;
}

static int32_t stats(struct kaizen_instance *instance, struct kaizen_stats *out) {
  (void)instance;
  (void)out;
  return KAIZEN_OK;
}

static size_t last_error(struct kaizen_instance *instance, char *buf, size_t cap) {
  (void)instance;
  if (cap > 0)
    buf[0] = '\0';
  return 0;
}

static int32_t stop(struct kaizen_instance *instance, uint32_t timeout_ms) {
  (void)instance;
  (void)timeout_ms;
#ifdef HANGS_IN_STOP
  hang();
#endif
  return KAIZEN_OK;
}

static void destroy(struct kaizen_instance *instance) {
  (void)instance;
}

static const struct kaizen_plugin_v1 table = {
    MOCK_TABLE("ill-mannered"),
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

/* hang() is used in every variant, so that none has a warning. */
const struct kaizen_plugin_v1 *kaizen_plugin_v1(void) {
  return table.id == NULL ? (hang(), NULL) : &table;
}
