/* plugin.c - the vtable: sizes, states and NULLs are judged here, work is done below.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <kaizen/extensions.h>
#include <kaizen/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "common/utf8.h"
#include "config/config_schema.h"
#include "edge/instance.h"
#include "record/agent_name.h"
#include "record/execution_from_json.h"
#include "record/execution_from_struct.h"

#define NS_PER_MS INT64_C(1000000)

/* The 1.0 layouts: an out-struct or in-struct smaller than that is refused. */
#define SIZE_1_0_HOST sizeof(struct kaizen_host_v1)
#define SIZE_1_0_EXECUTION sizeof(struct kaizen_execution)
#define SIZE_1_0_RECEIPT sizeof(struct kaizen_receipt)
#define SIZE_1_0_SUMMARY sizeof(struct kaizen_summary)
#define SIZE_1_0_STATS sizeof(struct kaizen_stats)

_Static_assert((int)ERROR_NO_MEMORY == KAIZEN_E_NOMEM && (int)ERROR_IO == KAIZEN_E_IO,
               "base/error.h and kaizen/plugin.h number the same failures");

static int64_t deadline_in(uint32_t timeout_ms) {
  return clock_monotonic_ns() + timeout_ms * NS_PER_MS;
}

static const char *code_name(int32_t code) {
  switch (code) {
  case KAIZEN_RECORDED:
    return "RECORDED";
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
  case KAIZEN_E_BUSY:
    return "E_BUSY";
  case KAIZEN_E_NOMEM:
    return "E_NOMEM";
  case KAIZEN_E_IO:
    return "E_IO";
  case KAIZEN_E_INDETERMINATE:
    return "E_INDETERMINATE";
  default:
    return code >= 0 ? "OK" : code > -64 ? "E_FINAL" : code > -96 ? "E_TRANSIENT" : "E_UNKNOWN";
  }
}

static int32_t fail_state(struct kaizen_instance *instance, const char *call, const char *needs) {
  struct error error;

  (void)error_set(&error, KAIZEN_E_STATE, "%s: %s", call, needs);
  return instance_fail(instance, &error);
}

static int32_t create(const struct kaizen_host_v1 *host, struct kaizen_instance **out) {
  struct kaizen_instance *instance;

  if (!out)
    return KAIZEN_E_ARGUMENT;
  *out = NULL;
  if (!host || host->struct_size < SIZE_1_0_HOST)
    return KAIZEN_E_ARGUMENT;
  if (host->abi_version >> 16 != KAIZEN_ABI_MAJOR ||
      (host->flags & 0xffffu & ~(unsigned)KAIZEN_HOST_CALLBACKS_ANY_THREAD))
    return KAIZEN_E_UNSUPPORTED;
  instance = calloc(1, sizeof *instance);
  if (!instance)
    return KAIZEN_E_NOMEM;
  instance->host = *host;
  instance->host.name = instance->host.version =
      NULL; /* the caller's text may be gone after this call */
  if (instance->host.log_level == 0)
    instance->host.log_level = KAIZEN_LOG_WARNING;
  instance->pid = getpid();
  (void)pthread_mutex_init(&instance->mutex, NULL);
  messages_init(&instance->messages, &instance->host);
  config_init(&instance->config, &instance->origins);
  *out = instance;
  return KAIZEN_OK;
}

/* Another engine in place of the one there is; recordings still in the old one finish there. */
static void replace_engine(struct kaizen_instance *instance, struct engine *engine,
                           enum instance_state state) {
  struct engine *old;
  bool last;

  if (engine)
    engine->users = 1;
  (void)pthread_mutex_lock(&instance->mutex);
  old = instance->engine;
  instance->engine = engine;
  instance->state = state;
  last = old && --old->users == 0;
  (void)pthread_mutex_unlock(&instance->mutex);
  if (last)
    engine_free(old);
}

/* Takes instance->config into force. */
static int32_t apply_config(struct kaizen_instance *instance) {
  struct config config;
  struct config_origins origins;
  struct engine *engine;
  struct error error = {0};

  if (config_copy(&config, &instance->config, &error) != 0)
    return instance_fail(instance, &error);
  origins = instance->origins;
  engine = config_finish(&config, &origins, &error) == 0
               ? engine_new(&config, &origins, &instance->messages, &error)
               : NULL;
  if (!engine) {
    config_fini(&config);
    return instance_fail(instance, &error);
  }
  replace_engine(instance, engine, INSTANCE_CONFIGURED);
  return KAIZEN_OK;
}

static int32_t configure(struct kaizen_instance *instance, const char *json, size_t len) {
  struct call call;
  struct error error = {0};
  struct span text = {json ? json : "", json ? (len == KAIZEN_NTS ? strlen(json) : len) : 0};
  int32_t code = call_enter(&call, instance, IN_ANY_STATE & ~IN_STATE(INSTANCE_RUNNING));

  if (code == KAIZEN_E_STATE)
    return fail_state(instance, "configure",
                      "not while running; stop first, or use a second instance");
  if (code != KAIZEN_OK)
    return code;
  if (text.len == 0)
    text = (struct span){"{}", 2};
  config_fini(&instance->config);
  config_init(&instance->config, &instance->origins);
  code = config_merge_json(&instance->config, &instance->origins, text, &error) == 0
             ? apply_config(instance)
             : instance_fail(instance, &error);
  if (code != KAIZEN_OK) {
    config_fini(&instance->config);
    config_init(&instance->config, &instance->origins);
    replace_engine(instance, NULL, INSTANCE_CREATED);
  }
  call_leave(&call);
  return code;
}

/* One key over what is there; a value that cannot be applied leaves everything as it was. */
static int32_t set_key(struct kaizen_instance *instance, const char *key, struct span value) {
  struct config kept;
  struct config_origins kept_origins = instance->origins;
  struct error error = {0};
  int32_t code = KAIZEN_OK;

  if (config_copy(&kept, &instance->config, &error) != 0)
    return instance_fail(instance, &error);
  if (config_merge_text(&instance->config, &instance->origins, key, value, &error) != 0)
    code = instance_fail(instance, &error);
  else if (instance->config.project_root[0] != '\0') /* else start() asks for the root */
    code = apply_config(instance);
  if (code != KAIZEN_OK) {
    struct config refused = instance->config;

    instance->config = kept;
    instance->origins = kept_origins;
    kept = refused;
  }
  config_fini(&kept);
  return code;
}

static int32_t configure_key(struct kaizen_instance *instance, const char *key, const char *value,
                             size_t len) {
  struct call call;
  int32_t code;

  if (!key || !value)
    return KAIZEN_E_ARGUMENT;
  code = call_enter(&call, instance, IN_ANY_STATE & ~IN_STATE(INSTANCE_RUNNING));
  if (code == KAIZEN_E_STATE)
    return fail_state(instance, "configure_key", "not while running; stop first");
  if (code != KAIZEN_OK)
    return code;
  code = set_key(instance, key, (struct span){value, len == KAIZEN_NTS ? strlen(value) : len});
  call_leave(&call);
  return code;
}

static int32_t start(struct kaizen_instance *instance) {
  struct call call;
  int32_t code =
      call_enter(&call, instance, IN_STATE(INSTANCE_CONFIGURED) | IN_STATE(INSTANCE_STOPPED));

  if (code == KAIZEN_E_STATE)
    return fail_state(instance, "start",
                      "configure it first (project_root is required); once running it stays so");
  if (code != KAIZEN_OK)
    return code;
  engine_start(call.engine);
  (void)pthread_mutex_lock(&instance->mutex);
  instance->state = INSTANCE_RUNNING;
  (void)pthread_mutex_unlock(&instance->mutex);
  call_leave(&call);
  return KAIZEN_OK;
}

static bool outs_fit(const struct kaizen_receipt *receipt, const struct kaizen_summary *summary) {
  return (!receipt || receipt->struct_size >= SIZE_1_0_RECEIPT) &&
         (!summary || summary->struct_size >= SIZE_1_0_SUMMARY);
}

static void write_reason(struct kaizen_receipt *ours, const char *text) {
  size_t len = utf8_cut((struct span){text, strlen(text)}, sizeof ours->reason - 1);

  memcpy(ours->reason, text, len);
  ours->reason[len] = '\0';
}

/* The answer of a call that did not come so far as to record. */
static int32_t answer_refusal(int32_t code, const char *reason, struct kaizen_receipt *receipt,
                              struct kaizen_summary *summary) {
  struct kaizen_receipt ours = {0};
  const struct kaizen_summary nothing = {0};

  write_reason(&ours, reason);
  out_write(receipt, &ours, sizeof ours);
  out_write(summary, &nothing, sizeof nothing);
  return code;
}

/* Where both ways of giving one execution meet: exactly one of `in` and `json` is used. */
static int32_t record_one(struct kaizen_instance *instance, const struct kaizen_execution *in,
                          struct span json, struct kaizen_receipt *receipt,
                          struct kaizen_summary *out_summary) {
  struct call call;
  struct execution execution = {0};
  struct execution_limits limits;
  struct recorder_request request = {.execution = &execution};
  struct summary summary;
  struct kaizen_receipt ours = {0};
  struct error error = {0};
  int32_t code = call_enter(&call, instance, IN_STATE(INSTANCE_RUNNING));
  int valid;

  if (code != KAIZEN_OK)
    return answer_refusal(code,
                          code == KAIZEN_E_FORKED
                              ? "this instance belongs to the parent process; create one here"
                              : "the instance is not running; call start() first",
                          receipt, out_summary);
  instance_limits(&call, instance_now_ns(instance), &limits);
  valid = in ? execution_from_struct(&execution, in, &limits, &error)
             : execution_from_json(&execution, json, 0, &limits, &error);
  if (valid == 0) {
    recorder_record(call.engine->recorder, &request, 1, limits.now_s, &summary, &error);
    code = request.code;
  } else {
    code = error.code;
  }
  instance_count(instance, code);
  if (code >= 0) {
    ours.flags = (request.marked ? KAIZEN_RECEIPT_MARKED : 0u) |
                 (request.key_conflict ? KAIZEN_RECEIPT_KEY_CONFLICT : 0u);
    if (request.marked)
      memcpy(ours.event_id, request.event_id, UUID_TEXT_SIZE);
    out_write(receipt, &ours, sizeof ours);
    if (out_summary)
      out_write_summary(out_summary, &summary);
  } else {
    (void)answer_refusal(code, error.text, receipt, out_summary);
    messages_send(&instance->messages, code <= -64 ? KAIZEN_LOG_ERROR : KAIZEN_LOG_NOTICE,
                  code <= -64 ? MESSAGE_RECORD_FAILED : MESSAGE_REJECTED, error.text);
  }
  execution_fini(&execution);
  call_leave(&call);
  return code;
}

/* Of two out-structs the one that is too small cannot be written; the other says so. */
static int32_t refuse_outs(struct kaizen_receipt *receipt, struct kaizen_summary *summary) {
  return answer_refusal(KAIZEN_E_ARGUMENT, "an out-struct is smaller than its 1.0 layout",
                        outs_fit(receipt, NULL) ? receipt : NULL,
                        outs_fit(NULL, summary) ? summary : NULL);
}

static int32_t on_execution_end(struct kaizen_instance *instance,
                                const struct kaizen_execution *execution,
                                struct kaizen_receipt *receipt, struct kaizen_summary *summary) {
  if (!outs_fit(receipt, summary))
    return refuse_outs(receipt, summary);
  if (!instance || !execution || execution->struct_size < SIZE_1_0_EXECUTION)
    return answer_refusal(KAIZEN_E_ARGUMENT,
                          "a NULL argument, or a struct smaller than its 1.0 layout", receipt,
                          summary);
  return record_one(instance, execution, (struct span){NULL, 0}, receipt, summary);
}

static int32_t on_execution_end_json(struct kaizen_instance *instance, const char *json, size_t len,
                                     struct kaizen_receipt *receipt,
                                     struct kaizen_summary *summary) {
  if (!outs_fit(receipt, summary))
    return refuse_outs(receipt, summary);
  if (!instance || !json)
    return answer_refusal(KAIZEN_E_ARGUMENT, "a NULL argument", receipt, summary);
  return record_one(instance, NULL, (struct span){json, len == KAIZEN_NTS ? strlen(json) : len},
                    receipt, summary);
}

static int32_t flush(struct kaizen_instance *instance, uint32_t timeout_ms, uint64_t *pending) {
  struct call call;
  struct error error = {0};
  uint64_t left = 0;
  int32_t code = call_enter(&call, instance, IN_STATE(INSTANCE_RUNNING));
  int result;

  if (pending)
    *pending = 0;
  if (code != KAIZEN_OK)
    return code;
  result = engine_flush(call.engine, deadline_in(timeout_ms), &left, &error);
  if (pending)
    *pending = left;
  call_leave(&call);
  return result < 0 ? error.code : result == 1 ? KAIZEN_PENDING : KAIZEN_OK;
}

static int32_t stats(struct kaizen_instance *instance, struct kaizen_stats *out) {
  struct call call;
  struct kaizen_stats ours = {0};
  int32_t code;

  if (!out || out->struct_size < SIZE_1_0_STATS)
    return KAIZEN_E_ARGUMENT;
  code = call_enter(&call, instance, IN_ANY_STATE);
  if (code != KAIZEN_OK) {
    out_write(out, &ours, sizeof ours);
    return code;
  }
  ours.state = (int32_t)call.state;
  ours.recorded = atomic_load(&instance->recorded);
  ours.duplicates = atomic_load(&instance->duplicates);
  ours.rejected = atomic_load(&instance->rejected);
  ours.failed = atomic_load(&instance->failed);
  if (call.engine)
    engine_stats(call.engine, &ours);
  out_write(out, &ours, sizeof ours);
  call_leave(&call);
  return KAIZEN_OK;
}

static size_t last_error(struct kaizen_instance *instance, char *buf, size_t cap) {
  size_t len, cut;

  if (!instance || instance->pid != getpid())
    return 0;
  (void)pthread_mutex_lock(&instance->mutex);
  len = strlen(instance->last_error.text);
  if (buf && cap > 0) {
    cut = utf8_cut((struct span){instance->last_error.text, len}, cap - 1);
    memcpy(buf, instance->last_error.text, cut);
    buf[cut] = '\0';
  }
  (void)pthread_mutex_unlock(&instance->mutex);
  return len;
}

static int32_t stop(struct kaizen_instance *instance, uint32_t timeout_ms) {
  struct call call;
  int64_t deadline_ns = deadline_in(timeout_ms);
  int32_t code = call_enter(&call, instance, IN_STATE(INSTANCE_RUNNING));
  int result;

  if (code == KAIZEN_E_STATE)
    return fail_state(instance, "stop", "it is not running");
  if (code != KAIZEN_OK)
    return code;
  (void)pthread_mutex_lock(&instance->mutex);
  instance->state = INSTANCE_STOPPED;
  (void)pthread_mutex_unlock(&instance->mutex);
  result = engine_stop(call.engine, deadline_ns);
  call_leave(&call);
  return result == 1 ? KAIZEN_PENDING : KAIZEN_OK;
}

static void destroy(struct kaizen_instance *instance) {
  if (!instance || instance->pid != getpid())
    return; /* a child's copy: the files belong to the parent */
  if (instance->state == INSTANCE_RUNNING)
    (void)stop(instance, 0);
  replace_engine(instance, NULL, INSTANCE_CREATED);
  config_fini(&instance->config);
  messages_fini(&instance->messages);
  (void)pthread_mutex_destroy(&instance->mutex);
  free(instance);
}

static int32_t map_name(struct kaizen_str name, char *out) {
  if (!name.ptr || !out)
    return KAIZEN_E_ARGUMENT;
  return agent_name_map(
      (struct span){name.ptr, name.len == KAIZEN_NTS ? strlen(name.ptr) : name.len}, out);
}

static const struct kaizen_names_1 names_extension = {.map = map_name};

static const void *get_extension(const char *id) {
  static const struct {
    const char *id;
    const void *table;
  } extensions[] = {
      {KAIZEN_INSPECT_1, &inspect_extension},   {KAIZEN_BATCH_1, &batch_extension},
      {KAIZEN_DELIVERY_1, &delivery_extension}, {KAIZEN_BROKER_1, &broker_extension},
      {KAIZEN_REPAIR_1, &repair_extension},     {KAIZEN_NAMES_1, &names_extension},
      {KAIZEN_QUERY_1, &query_extension},
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
    .on_execution_end = on_execution_end,
    .on_execution_end_json = on_execution_end_json,
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
