/* abi_later_plugin.c - a plugin of a later day: another one, with what later versions may add.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Calls go to the plugin that KAIZEN_LATER_OF names.  Added are what docs/abi.md says may be: a
 * longer table, flag bits 16 to 31 of everything it fills, members of every report, keys of every
 * line, a setting, messages with an id of their own, and for agents of certain names result codes
 * that 1.0 does not have. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <kaizen/extensions.h>

#define LATER_FLAG (1u << 20)
#define LATER_MESSAGE 999
#define REPORT_MEMBER "\"later\":[{}],"
#define LINE_KEY "\"later\":{\"a\":null},"
#define SETTING "\"later_setting\":{\"value\":7,\"origin\":\"default\"},"
#define SCHEMA                                                                                     \
  "\"later_setting\":{\"type\":\"integer\",\"default\":7,\"description\":\"of later\"},"

static const struct kaizen_plugin_v1 *real;

struct kaizen_instance {
  struct kaizen_instance *real;
  struct kaizen_host_v1 host;
};

/* ---- what is added to texts ------------------------------------------------------------------ */

struct added {
  kaizen_sink sink;
  void *ctx;
  const char *text; /* after each brace that opens an object, or the first */
  int only_first;
};

/* A piece is a whole report or a whole line. */
static int32_t add(void *ctx, const char *data, size_t len) {
  const struct added *added = ctx;
  size_t extra = strlen(added->text), used = 0, at;
  char *out = malloc(len * (extra + 1) + 1);
  int32_t result;

  if (!out)
    return 1;
  for (at = 0; at < len; at++) {
    out[used++] = data[at];
    if (data[at] != '{' || at + 1 == len || data[at + 1] != '"' || (added->only_first && at > 0))
      continue;
    memcpy(out + used, added->text, extra);
    used += extra;
  }
  result = added->sink(added->ctx, out, used);
  free(out);
  return result;
}

/* ---- the table ------------------------------------------------------------------------------- */

static const char *code_name(int32_t code) {
  return code == 3     ? "RECORDED_AND_MORE"
         : code == -20 ? "E_LATER_FINAL"
         : code == -80 ? "E_LATER_TRANSIENT"
         : code == -99 ? "E_LATER_UNKNOWN"
                       : real->code_name(code);
}

static int32_t create(const struct kaizen_host_v1 *host, struct kaizen_instance **out) {
  struct kaizen_instance *made = calloc(1, sizeof *made);
  int32_t code;

  *out = NULL;
  if (!made)
    return KAIZEN_E_NOMEM;
  memcpy(&made->host, host,
         host->struct_size < sizeof made->host ? host->struct_size : sizeof made->host);
  code = real->create(host, &made->real);
  if (code == KAIZEN_OK)
    *out = made;
  else
    free(made);
  return code;
}

static int32_t configure(struct kaizen_instance *instance, const char *json, size_t len) {
  return real->configure(instance->real, json, len);
}

static int32_t configure_key(struct kaizen_instance *instance, const char *key, const char *value,
                             size_t len) {
  return strcmp(key, "later_setting") == 0 ? KAIZEN_OK
                                           : real->configure_key(instance->real, key, value, len);
}

static int32_t start(struct kaizen_instance *instance) {
  return real->start(instance->real);
}

/* What a recording of later may answer, by the agent's name; 0 for the others. */
static int32_t later_code(const char *agent) {
  return !agent                                  ? 0
         : strcmp(agent, "later-final") == 0     ? -20
         : strcmp(agent, "later-transient") == 0 ? -80
         : strcmp(agent, "later-unknown") == 0   ? -99
         : strcmp(agent, "later-more") == 0      ? 3
                                                 : 0;
}

static int32_t recorded(struct kaizen_instance *instance, int32_t code,
                        struct kaizen_receipt *receipt, struct kaizen_summary *summary) {
  static const char text[] = "something that 1.0 never says";

  if (instance->host.log && instance->host.log_level >= KAIZEN_LOG_DEBUG)
    instance->host.log(instance->host.ctx, KAIZEN_LOG_DEBUG, LATER_MESSAGE, text, strlen(text));
  if (receipt)
    receipt->flags |= LATER_FLAG;
  if (summary)
    summary->flags |= LATER_FLAG;
  return code;
}

static int32_t on_execution_end(struct kaizen_instance *instance,
                                const struct kaizen_execution *execution,
                                struct kaizen_receipt *receipt, struct kaizen_summary *summary) {
  int32_t later = later_code(execution->agent.ptr), code;

  if (later < 0)
    return later;
  code = real->on_execution_end(instance->real, execution, receipt, summary);
  return recorded(instance, code == KAIZEN_RECORDED ? later : code, receipt, summary);
}

static int32_t on_execution_end_json(struct kaizen_instance *instance, const char *json, size_t len,
                                     uint32_t flags, struct kaizen_receipt *receipt,
                                     struct kaizen_summary *summary) {
  return recorded(instance,
                  real->on_execution_end_json(instance->real, json, len, flags, receipt, summary),
                  receipt, summary);
}

static int32_t flush(struct kaizen_instance *instance, uint32_t timeout_ms, uint64_t *pending) {
  return real->flush(instance->real, timeout_ms, pending);
}

static int32_t stats(struct kaizen_instance *instance, struct kaizen_stats *out) {
  int32_t code = real->stats(instance->real, out);

  out->flags |= LATER_FLAG;
  return code;
}

static size_t last_error(struct kaizen_instance *instance, char *buf, size_t cap) {
  return real->last_error(instance->real, buf, cap);
}

static int32_t stop(struct kaizen_instance *instance, uint32_t timeout_ms) {
  return real->stop(instance->real, timeout_ms);
}

static void destroy(struct kaizen_instance *instance) {
  if (instance)
    real->destroy(instance->real);
  free(instance);
}

/* ---- the extensions -------------------------------------------------------------------------- */

#define REAL(name, id) ((const struct kaizen_##name##_1 *)real->get_extension(id))
#define REPORT(sink, ctx)                                                                          \
  add, &(struct added) {                                                                           \
    sink, ctx, REPORT_MEMBER, 0                                                                    \
  }
#define LINES(sink, ctx)                                                                           \
  add, &(struct added) {                                                                           \
    sink, ctx, LINE_KEY, 1                                                                         \
  }

static int32_t inspect_summary(struct kaizen_instance *instance, const char *agent, size_t len,
                               struct kaizen_summary *out) {
  int32_t code = REAL(inspect, KAIZEN_INSPECT_1)->summary(instance->real, agent, len, out);

  out->flags |= LATER_FLAG;
  return code;
}
static int32_t recent(struct kaizen_instance *instance, const char *agent, size_t len, uint64_t max,
                      kaizen_sink sink, void *ctx) {
  return REAL(inspect, KAIZEN_INSPECT_1)->recent(instance->real, agent, len, max, LINES(sink, ctx));
}
static int32_t delivery(struct kaizen_instance *instance, kaizen_sink sink, void *ctx) {
  return REAL(inspect, KAIZEN_INSPECT_1)->delivery(instance->real, REPORT(sink, ctx));
}
static int32_t config(struct kaizen_instance *instance, kaizen_sink sink, void *ctx) {
  struct added added = {sink, ctx, SETTING, 1};

  return REAL(inspect, KAIZEN_INSPECT_1)->config(instance->real, add, &added);
}

static int32_t agents(struct kaizen_instance *instance, kaizen_sink sink, void *ctx) {
  return REAL(query, KAIZEN_QUERY_1)->agents(instance->real, sink, ctx);
}
static int32_t records(struct kaizen_instance *instance, const struct kaizen_query *query,
                       kaizen_sink sink, void *ctx, struct kaizen_query_result *result) {
  int32_t code =
      REAL(query, KAIZEN_QUERY_1)->records(instance->real, query, LINES(sink, ctx), result);

  if (result)
    result->flags |= LATER_FLAG;
  return code;
}

static int32_t batch_record(struct kaizen_instance *instance, const char *lines, size_t len,
                            uint32_t exec_flags, uint32_t batch_flags, kaizen_batch_refusal refusal,
                            void *ctx, struct kaizen_batch_result *result) {
  int32_t code =
      REAL(batch, KAIZEN_BATCH_1)
          ->record(instance->real, lines, len, exec_flags, batch_flags, refusal, ctx, result);

  result->flags |= LATER_FLAG;
  return code;
}

static int32_t resend(struct kaizen_instance *instance, int64_t since_unix_ns, uint64_t *count) {
  return REAL(delivery, KAIZEN_DELIVERY_1)->resend(instance->real, since_unix_ns, count);
}
static int32_t assume_sent(struct kaizen_instance *instance, uint64_t *count) {
  return REAL(delivery, KAIZEN_DELIVERY_1)->assume_sent(instance->real, count);
}
static int32_t dead_letters(struct kaizen_instance *instance, kaizen_sink sink, void *ctx) {
  return REAL(delivery, KAIZEN_DELIVERY_1)->dead_letters(instance->real, LINES(sink, ctx));
}
static int32_t retry_dead_letters(struct kaizen_instance *instance, uint64_t *count) {
  return REAL(delivery, KAIZEN_DELIVERY_1)->retry_dead_letters(instance->real, count);
}

static int32_t check(struct kaizen_instance *instance, uint32_t timeout_ms, kaizen_sink sink,
                     void *ctx) {
  return REAL(broker, KAIZEN_BROKER_1)->check(instance->real, timeout_ms, REPORT(sink, ctx));
}
static int32_t init(struct kaizen_instance *instance, const char *name, uint32_t replicas,
                    uint32_t flags, uint32_t timeout_ms, kaizen_sink sink, void *ctx) {
  return REAL(broker, KAIZEN_BROKER_1)
      ->init(instance->real, name, replicas, flags, timeout_ms, REPORT(sink, ctx));
}
static int32_t watch(struct kaizen_instance *instance, uint32_t timeout_ms, kaizen_sink sink,
                     void *ctx) {
  return REAL(broker, KAIZEN_BROKER_1)->watch(instance->real, timeout_ms, sink, ctx);
}

static int32_t verify(struct kaizen_instance *instance, const char *agent, size_t len,
                      kaizen_sink sink, void *ctx) {
  return REAL(repair, KAIZEN_REPAIR_1)->verify(instance->real, agent, len, REPORT(sink, ctx));
}
static int32_t repair(struct kaizen_instance *instance, const char *agent, size_t len,
                      kaizen_sink sink, void *ctx) {
  return REAL(repair, KAIZEN_REPAIR_1)->repair(instance->real, agent, len, REPORT(sink, ctx));
}

static int32_t begin(struct kaizen_instance *instance, const struct kaizen_span *span,
                     char token[KAIZEN_SPAN_TOKEN_SIZE]) {
  return REAL(span, KAIZEN_SPAN_1)->begin(instance->real, span, token);
}
static int32_t end(struct kaizen_instance *instance, const char *token,
                   const struct kaizen_execution *execution, struct kaizen_receipt *receipt,
                   struct kaizen_summary *summary) {
  int32_t code = REAL(span, KAIZEN_SPAN_1)->end(instance->real, token, execution, receipt, summary);

  return recorded(instance, code, receipt, summary);
}
static int32_t cancel(struct kaizen_instance *instance, const char *agent, size_t len,
                      const char *token) {
  return REAL(span, KAIZEN_SPAN_1)->cancel(instance->real, agent, len, token);
}
static int32_t list(struct kaizen_instance *instance, const char *agent, size_t len,
                    kaizen_sink sink, void *ctx) {
  return REAL(span, KAIZEN_SPAN_1)->list(instance->real, agent, len, REPORT(sink, ctx));
}
static int32_t sweep(struct kaizen_instance *instance, uint64_t *count) {
  return REAL(span, KAIZEN_SPAN_1)->sweep(instance->real, count);
}

static int32_t map(const char *name, size_t len, char *out, char *reason, size_t reason_size) {
  return REAL(names, KAIZEN_NAMES_1)->map(name, len, out, reason, reason_size);
}

static const struct kaizen_inspect_1 inspect_1 = {inspect_summary, recent, delivery, config};
static const struct kaizen_query_1 query_1 = {agents, records};
static const struct kaizen_batch_1 batch_1 = {batch_record};
static const struct kaizen_delivery_1 delivery_1 = {resend, assume_sent, dead_letters,
                                                    retry_dead_letters};
static const struct kaizen_broker_1 broker_1 = {check, init, watch};
static const struct kaizen_repair_1 repair_1 = {verify, repair};
static const struct kaizen_span_1 span_1 = {begin, end, cancel, list, sweep};
static const struct kaizen_names_1 names_1 = {map};

static const void *get_extension(const char *id) {
  static const struct {
    const char *id;
    const void *table;
  } tables[] = {{KAIZEN_INSPECT_1, &inspect_1}, {KAIZEN_QUERY_1, &query_1},
                {KAIZEN_BATCH_1, &batch_1},     {KAIZEN_DELIVERY_1, &delivery_1},
                {KAIZEN_BROKER_1, &broker_1},   {KAIZEN_REPAIR_1, &repair_1},
                {KAIZEN_SPAN_1, &span_1},       {KAIZEN_NAMES_1, &names_1}};
  size_t i;

  for (i = 0; i < sizeof tables / sizeof *tables; i++)
    if (strcmp(id, tables[i].id) == 0)
      return tables[i].table;
  return NULL;
}

static struct {
  struct kaizen_plugin_v1 v1;
  void (*later[2])(void);
} table = {.v1 = {.struct_size = sizeof table,
                  .abi_version = KAIZEN_ABI_VERSION + 3,
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
                  .get_extension = get_extension}};

/* The real schema with one more setting. */
static const char *schema_of_later(const char *schema) {
  static char made[65536];
  const char *at = strstr(schema, "\"properties\":{");

  if (!at || strlen(schema) + sizeof SCHEMA > sizeof made)
    return schema;
  at += strlen("\"properties\":{");
  memcpy(made, schema, (size_t)(at - schema));
  strcpy(made + (at - schema), SCHEMA);
  strcat(made, at);
  return made;
}

const struct kaizen_plugin_v1 *kaizen_plugin_v1(void) {
  const char *file = getenv("KAIZEN_LATER_OF");
  void *image = file ? dlopen(file, RTLD_NOW | RTLD_LOCAL) : NULL;
  kaizen_plugin_v1_fn entry = NULL;

  if (image)
    *(void **)&entry = dlsym(image, KAIZEN_PLUGIN_V1_SYMBOL);
  if (!entry)
    return NULL;
  real = entry();
  table.v1.id = real->id;
  table.v1.version = real->version;
  table.v1.config_schema = schema_of_later(real->config_schema);
  return &table.v1;
}
