/* test_abi.c - the binary interface of 1.0, frozen: compiling this file is the test.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Hosts compiled against 1.0 rely on every number here.  A line that no longer compiles means that
 * such a host breaks.  A later minor version may add lines for what it appends, and raise the SIZE
 * of a struct that begins with struct_size; no other line is ever edited. */
#include <kaizen/extensions.h>
#include <kaizen/plugin.h>

_Static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8,
               "the numbers are those of 64-bit systems");

#define VALUE(name, value) _Static_assert((name) == (value), #name " has another value")
#define SIZE(type, size)                                                                           \
  _Static_assert(sizeof(struct type) == (size), #type " has another size");                        \
  _Static_assert(_Alignof(struct type) == ALIGNMENT_##type, #type " is aligned otherwise")
/* What a host of 1.0 made room for, also where it is to be filled by a plugin of later. */
enum {
  ALIGNMENT_kaizen_receipt = 4,
  ALIGNMENT_kaizen_str = 8,
  ALIGNMENT_kaizen_host_v1 = 8,
  ALIGNMENT_kaizen_execution = 8,
  ALIGNMENT_kaizen_summary = 8,
  ALIGNMENT_kaizen_stats = 8,
  ALIGNMENT_kaizen_plugin_v1 = 8,
  ALIGNMENT_kaizen_inspect_1 = 8,
  ALIGNMENT_kaizen_query_place = 8,
  ALIGNMENT_kaizen_query = 8,
  ALIGNMENT_kaizen_query_result = 8,
  ALIGNMENT_kaizen_query_1 = 8,
  ALIGNMENT_kaizen_batch_result = 8,
  ALIGNMENT_kaizen_batch_1 = 8,
  ALIGNMENT_kaizen_delivery_1 = 8,
  ALIGNMENT_kaizen_broker_1 = 8,
  ALIGNMENT_kaizen_repair_1 = 8,
  ALIGNMENT_kaizen_span = 8,
  ALIGNMENT_kaizen_span_1 = 8,
  ALIGNMENT_kaizen_names_1 = 8
};
#define HAS_TYPE(type, member, pointer)                                                            \
  _Static_assert(_Generic(&((struct type *)0)->member, pointer : 1, default : 0),                  \
                 #type "." #member " has another type")
#define OFFSET(type, member, offset)                                                               \
  _Static_assert(offsetof(struct type, member) == (offset), #type "." #member " has moved")
#define MEMBER(type, member, offset, member_type)                                                  \
  OFFSET(type, member, offset);                                                                    \
  HAS_TYPE(type, member, member_type *)
#define ARRAY(type, member, offset, element, count)                                                \
  OFFSET(type, member, offset);                                                                    \
  HAS_TYPE(type, member, element(*)[count])
#define FUNCTION(type, member, offset, ...)                                                        \
  OFFSET(type, member, offset);                                                                    \
  _Static_assert(_Generic(((struct type *)0)->member, __VA_ARGS__ : 1, default : 0),               \
                 #type "." #member " has another signature")

/* ---- values ---------------------------------------------------------------------------------- */

_Static_assert(KAIZEN_ABI_VERSION == 0x10000, "major 1, minor 0");
_Static_assert(KAIZEN_NTS == SIZE_MAX, "KAIZEN_NTS has another value");
VALUE(KAIZEN_OK, 0);
VALUE(KAIZEN_RECORDED, 0);
VALUE(KAIZEN_DUPLICATE, 1);
VALUE(KAIZEN_PENDING, 2);
VALUE(KAIZEN_E_ARGUMENT, -1);
VALUE(KAIZEN_E_STATE, -2);
VALUE(KAIZEN_E_CONFIG, -3);
VALUE(KAIZEN_E_UNSUPPORTED, -4);
VALUE(KAIZEN_E_FORKED, -5);
VALUE(KAIZEN_E_REJECTED, -6);
VALUE(KAIZEN_E_ENDED, -7);
VALUE(KAIZEN_E_BUSY, -64);
VALUE(KAIZEN_E_NOMEM, -65);
VALUE(KAIZEN_E_IO, -66);
VALUE(KAIZEN_E_STOPPED, -67);
VALUE(KAIZEN_E_INDETERMINATE, -96);
VALUE(KAIZEN_LOG_ERROR, 3);
VALUE(KAIZEN_LOG_WARNING, 4);
VALUE(KAIZEN_LOG_NOTICE, 5);
VALUE(KAIZEN_LOG_INFO, 6);
VALUE(KAIZEN_LOG_DEBUG, 7);
VALUE(KAIZEN_SUCCESS, 1);
VALUE(KAIZEN_FAILURE, 2);
VALUE(KAIZEN_STATS_INCOMPLETE, 1);
VALUE(KAIZEN_STATE_CREATED, 0);
VALUE(KAIZEN_STATE_CONFIGURED, 1);
VALUE(KAIZEN_STATE_RUNNING, 2);
VALUE(KAIZEN_STATE_STOPPED, 3);
VALUE(KAIZEN_TREND_UNKNOWN, 0);
VALUE(KAIZEN_TREND_STABLE, 1);
VALUE(KAIZEN_TREND_UP, 2);
VALUE(KAIZEN_TREND_DOWN, 3);
VALUE(KAIZEN_EXEC_HAS_TIME, 1);
VALUE(KAIZEN_EXEC_HAS_QUALITY, 2);
VALUE(KAIZEN_EXEC_HAS_PRIMARY, 4);
VALUE(KAIZEN_EXEC_HAS_TARGET, 8);
VALUE(KAIZEN_EXEC_EMIT, 16);
VALUE(KAIZEN_EXEC_NO_EMIT, 32);
VALUE(KAIZEN_EXEC_MAP_AGENT, 64);
VALUE(KAIZEN_EXEC_KEEP_UNKNOWN, 128);
VALUE(KAIZEN_EXEC_CHECK_ONLY, 256);
VALUE(KAIZEN_HOST_ONLY_READS, 65536);
VALUE(KAIZEN_SUMMARY_HAS_QUALITY, 1);
VALUE(KAIZEN_SUMMARY_HAS_TIME, 2);
VALUE(KAIZEN_RECEIPT_MARKED, 1);
VALUE(KAIZEN_RECEIPT_KEY_CONFLICT, 2);
VALUE(KAIZEN_PUBLISHER_OFF, 0);
VALUE(KAIZEN_PUBLISHER_ELSEWHERE, 1);
VALUE(KAIZEN_PUBLISHER_CONNECTING, 2);
VALUE(KAIZEN_PUBLISHER_CONNECTED, 3);

/* ---- plugin.h -------------------------------------------------------------------------------- */

SIZE(kaizen_str, 16);
MEMBER(kaizen_str, ptr, 0, const char *);
MEMBER(kaizen_str, len, 8, size_t);

SIZE(kaizen_host_v1, 64);
MEMBER(kaizen_host_v1, struct_size, 0, uint32_t);
MEMBER(kaizen_host_v1, abi_version, 4, uint32_t);
MEMBER(kaizen_host_v1, flags, 8, uint32_t);
MEMBER(kaizen_host_v1, log_level, 12, uint32_t);
MEMBER(kaizen_host_v1, ctx, 16, void *);
MEMBER(kaizen_host_v1, name, 24, const char *);
MEMBER(kaizen_host_v1, version, 32, const char *);
FUNCTION(kaizen_host_v1, log, 40,
         void (*)(void *ctx, int32_t level, int32_t id, const char *msg, size_t len));
FUNCTION(kaizen_host_v1, now_unix_ns, 48, int64_t (*)(void *ctx));
FUNCTION(kaizen_host_v1, get_extension, 56, const void *(*)(void *ctx, const char *id));

SIZE(kaizen_execution, 152);
MEMBER(kaizen_execution, struct_size, 0, uint32_t);
MEMBER(kaizen_execution, flags, 4, uint32_t);
MEMBER(kaizen_execution, outcome, 8, int32_t);
MEMBER(kaizen_execution, reserved0, 12, uint32_t);
MEMBER(kaizen_execution, timestamp_unix_ns, 16, int64_t);
MEMBER(kaizen_execution, execution_time_s, 24, double);
MEMBER(kaizen_execution, quality_score, 32, double);
MEMBER(kaizen_execution, primary_value, 40, double);
MEMBER(kaizen_execution, primary_target, 48, double);
MEMBER(kaizen_execution, idempotency_key, 56, struct kaizen_str);
MEMBER(kaizen_execution, agent, 72, struct kaizen_str);
MEMBER(kaizen_execution, session_id, 88, struct kaizen_str);
MEMBER(kaizen_execution, primary_name, 104, struct kaizen_str);
MEMBER(kaizen_execution, metadata_json, 120, struct kaizen_str);
MEMBER(kaizen_execution, extra_json, 136, struct kaizen_str);

SIZE(kaizen_receipt, 256);
MEMBER(kaizen_receipt, struct_size, 0, uint32_t);
MEMBER(kaizen_receipt, flags, 4, uint32_t);
ARRAY(kaizen_receipt, event_id, 8, char, 40);
ARRAY(kaizen_receipt, reason, 48, char, 208);

SIZE(kaizen_summary, 56);
MEMBER(kaizen_summary, struct_size, 0, uint32_t);
MEMBER(kaizen_summary, flags, 4, uint32_t);
MEMBER(kaizen_summary, execution_count, 8, uint64_t);
MEMBER(kaizen_summary, success_rate, 16, double);
MEMBER(kaizen_summary, avg_quality_score, 24, double);
MEMBER(kaizen_summary, avg_execution_time_s, 32, double);
MEMBER(kaizen_summary, last_execution_unix_ns, 40, int64_t);
MEMBER(kaizen_summary, trend_success_rate, 48, int32_t);
MEMBER(kaizen_summary, trend_quality_score, 52, int32_t);

SIZE(kaizen_stats, 432);
MEMBER(kaizen_stats, struct_size, 0, uint32_t);
MEMBER(kaizen_stats, state, 4, int32_t);
MEMBER(kaizen_stats, recorded, 8, uint64_t);
MEMBER(kaizen_stats, duplicates, 16, uint64_t);
MEMBER(kaizen_stats, rejected, 24, uint64_t);
MEMBER(kaizen_stats, failed, 32, uint64_t);
MEMBER(kaizen_stats, marked, 40, uint64_t);
MEMBER(kaizen_stats, acknowledged, 48, uint64_t);
MEMBER(kaizen_stats, pending, 56, uint64_t);
MEMBER(kaizen_stats, dead_lettered, 64, uint64_t);
MEMBER(kaizen_stats, publish_failures, 72, uint64_t);
MEMBER(kaizen_stats, oldest_pending_unix_ns, 80, int64_t);
MEMBER(kaizen_stats, last_acknowledged_unix_ns, 88, int64_t);
MEMBER(kaizen_stats, publisher, 96, int32_t);
MEMBER(kaizen_stats, flags, 100, uint32_t);
ARRAY(kaizen_stats, publisher_reason, 104, char, 160);
MEMBER(kaizen_stats, unknown_agents, 264, uint64_t);
ARRAY(kaizen_stats, incomplete_reason, 272, char, 160);

SIZE(kaizen_plugin_v1, 136);
MEMBER(kaizen_plugin_v1, struct_size, 0, uint32_t);
MEMBER(kaizen_plugin_v1, abi_version, 4, uint32_t);
MEMBER(kaizen_plugin_v1, id, 8, const char *);
MEMBER(kaizen_plugin_v1, version, 16, const char *);
MEMBER(kaizen_plugin_v1, config_schema, 24, const char *);
FUNCTION(kaizen_plugin_v1, code_name, 32, const char *(*)(int32_t code));
FUNCTION(kaizen_plugin_v1, create, 40,
         int32_t (*)(const struct kaizen_host_v1 *host, struct kaizen_instance **out));
FUNCTION(kaizen_plugin_v1, configure, 48,
         int32_t (*)(struct kaizen_instance *, const char *json, size_t len));
FUNCTION(kaizen_plugin_v1, configure_key, 56,
         int32_t (*)(struct kaizen_instance *, const char *key, const char *value, size_t len));
FUNCTION(kaizen_plugin_v1, start, 64, int32_t (*)(struct kaizen_instance *));
FUNCTION(kaizen_plugin_v1, on_execution_end, 72,
         int32_t (*)(struct kaizen_instance *, const struct kaizen_execution *,
                     struct kaizen_receipt *, struct kaizen_summary *));
FUNCTION(kaizen_plugin_v1, on_execution_end_json, 80,
         int32_t (*)(struct kaizen_instance *, const char *json, size_t len, uint32_t flags,
                     struct kaizen_receipt *, struct kaizen_summary *));
FUNCTION(kaizen_plugin_v1, flush, 88,
         int32_t (*)(struct kaizen_instance *, uint32_t timeout_ms, uint64_t *pending));
FUNCTION(kaizen_plugin_v1, stats, 96, int32_t (*)(struct kaizen_instance *, struct kaizen_stats *));
FUNCTION(kaizen_plugin_v1, last_error, 104,
         size_t (*)(struct kaizen_instance *, char *buf, size_t cap));
FUNCTION(kaizen_plugin_v1, stop, 112, int32_t (*)(struct kaizen_instance *, uint32_t timeout_ms));
FUNCTION(kaizen_plugin_v1, destroy, 120, void (*)(struct kaizen_instance *));
FUNCTION(kaizen_plugin_v1, get_extension, 128, const void *(*)(const char *id));

/* ---- extensions.h: an id names one layout forever ------------------------------------------- */

VALUE(KAIZEN_BATCH_DERIVE_KEYS, 1);
VALUE(KAIZEN_BATCH_ANY_ORDER, 2);
VALUE(KAIZEN_BROKER_DRY_RUN, 1);
VALUE(KAIZEN_SPAN_TOKEN_SIZE, 40);
VALUE(KAIZEN_NAME_MAX, 64);
SIZE(kaizen_inspect_1, 32);
FUNCTION(kaizen_inspect_1, summary, 0,
         int32_t (*)(struct kaizen_instance *, const char *agent, size_t agent_len,
                     struct kaizen_summary *));
FUNCTION(kaizen_inspect_1, recent, 8,
         int32_t (*)(struct kaizen_instance *, const char *agent, size_t agent_len, uint64_t max,
                     kaizen_sink, void *ctx));
FUNCTION(kaizen_inspect_1, delivery, 16,
         int32_t (*)(struct kaizen_instance *, kaizen_sink, void *ctx));
FUNCTION(kaizen_inspect_1, config, 24,
         int32_t (*)(struct kaizen_instance *, kaizen_sink, void *ctx));

VALUE(KAIZEN_QUERY_SINCE, 1);
VALUE(KAIZEN_QUERY_UNTIL, 2);
VALUE(KAIZEN_QUERY_AFTER, 4);
VALUE(KAIZEN_QUERY_RESTARTED, 1);
SIZE(kaizen_query_place, 48);
ARRAY(kaizen_query_place, opaque, 0, uint64_t, 6);
SIZE(kaizen_query, 96);
MEMBER(kaizen_query, struct_size, 0, uint32_t);
MEMBER(kaizen_query, flags, 4, uint32_t);
MEMBER(kaizen_query, agent, 8, struct kaizen_str);
MEMBER(kaizen_query, since_unix_ns, 24, int64_t);
MEMBER(kaizen_query, until_unix_ns, 32, int64_t);
MEMBER(kaizen_query, last, 40, uint64_t);
MEMBER(kaizen_query, after, 48, struct kaizen_query_place);
SIZE(kaizen_query_result, 288);
MEMBER(kaizen_query_result, struct_size, 0, uint32_t);
MEMBER(kaizen_query_result, flags, 4, uint32_t);
MEMBER(kaizen_query_result, records, 8, uint64_t);
MEMBER(kaizen_query_result, undated, 16, uint64_t);
MEMBER(kaizen_query_result, skipped_lines, 24, uint64_t);
MEMBER(kaizen_query_result, place, 32, struct kaizen_query_place);
ARRAY(kaizen_query_result, reason, 80, char, 208);
SIZE(kaizen_query_1, 16);
FUNCTION(kaizen_query_1, agents, 0, int32_t (*)(struct kaizen_instance *, kaizen_sink, void *ctx));
FUNCTION(kaizen_query_1, records, 8,
         int32_t (*)(struct kaizen_instance *, const struct kaizen_query *, kaizen_sink, void *ctx,
                     struct kaizen_query_result *));

SIZE(kaizen_batch_result, 56);
MEMBER(kaizen_batch_result, struct_size, 0, uint32_t);
MEMBER(kaizen_batch_result, flags, 4, uint32_t);
MEMBER(kaizen_batch_result, lines, 8, uint64_t);
MEMBER(kaizen_batch_result, recorded, 16, uint64_t);
MEMBER(kaizen_batch_result, duplicates, 24, uint64_t);
MEMBER(kaizen_batch_result, rejected, 32, uint64_t);
MEMBER(kaizen_batch_result, older_than_retention, 40, uint64_t);
MEMBER(kaizen_batch_result, consumed, 48, uint64_t);

SIZE(kaizen_batch_1, 8);
FUNCTION(kaizen_batch_1, record, 0,
         int32_t (*)(struct kaizen_instance *, const char *lines, size_t len, uint32_t exec_flags,
                     uint32_t batch_flags, kaizen_batch_refusal, void *ctx,
                     struct kaizen_batch_result *));

SIZE(kaizen_delivery_1, 32);
FUNCTION(kaizen_delivery_1, resend, 0,
         int32_t (*)(struct kaizen_instance *, int64_t since_unix_ns, uint64_t *count));
FUNCTION(kaizen_delivery_1, assume_sent, 8, int32_t (*)(struct kaizen_instance *, uint64_t *count));
FUNCTION(kaizen_delivery_1, dead_letters, 16,
         int32_t (*)(struct kaizen_instance *, kaizen_sink, void *ctx));
FUNCTION(kaizen_delivery_1, retry_dead_letters, 24,
         int32_t (*)(struct kaizen_instance *, uint64_t *count));

SIZE(kaizen_broker_1, 24);
FUNCTION(kaizen_broker_1, check, 0,
         int32_t (*)(struct kaizen_instance *, uint32_t timeout_ms, kaizen_sink, void *ctx));
FUNCTION(kaizen_broker_1, init, 8,
         int32_t (*)(struct kaizen_instance *, const char *name, uint32_t replicas, uint32_t flags,
                     uint32_t timeout_ms, kaizen_sink, void *ctx));
FUNCTION(kaizen_broker_1, watch, 16,
         int32_t (*)(struct kaizen_instance *, uint32_t timeout_ms, kaizen_sink, void *ctx));

SIZE(kaizen_repair_1, 16);
FUNCTION(kaizen_repair_1, verify, 0,
         int32_t (*)(struct kaizen_instance *, const char *agent, size_t agent_len, kaizen_sink,
                     void *ctx));
FUNCTION(kaizen_repair_1, repair, 8,
         int32_t (*)(struct kaizen_instance *, const char *agent, size_t agent_len, kaizen_sink,
                     void *ctx));

SIZE(kaizen_span, 56);
MEMBER(kaizen_span, struct_size, 0, uint32_t);
MEMBER(kaizen_span, flags, 4, uint32_t);
MEMBER(kaizen_span, agent, 8, struct kaizen_str);
MEMBER(kaizen_span, idempotency_key, 24, struct kaizen_str);
MEMBER(kaizen_span, session_id, 40, struct kaizen_str);
SIZE(kaizen_span_1, 40);
FUNCTION(kaizen_span_1, begin, 0,
         int32_t (*)(struct kaizen_instance *, const struct kaizen_span *,
                     char token[KAIZEN_SPAN_TOKEN_SIZE]));
FUNCTION(kaizen_span_1, end, 8,
         int32_t (*)(struct kaizen_instance *, const char *token, const struct kaizen_execution *,
                     struct kaizen_receipt *, struct kaizen_summary *));
FUNCTION(kaizen_span_1, cancel, 16,
         int32_t (*)(struct kaizen_instance *, const char *agent, size_t agent_len,
                     const char *token));
FUNCTION(kaizen_span_1, list, 24,
         int32_t (*)(struct kaizen_instance *, const char *agent, size_t agent_len, kaizen_sink,
                     void *ctx));
FUNCTION(kaizen_span_1, sweep, 32, int32_t (*)(struct kaizen_instance *, uint64_t *count));

SIZE(kaizen_names_1, 8);
FUNCTION(kaizen_names_1, map, 0,
         int32_t (*)(const char *name, size_t len, char *out, char *reason, size_t reason_size));

_Static_assert(_Generic(&kaizen_plugin_v1, const struct kaizen_plugin_v1 *(*)(void) : 1,
                        default : 0),
               "the entry point has another signature");
_Static_assert(_Generic((kaizen_sink)0, int32_t (*)(void *ctx, const char *data, size_t len) : 1,
                        default : 0),
               "kaizen_sink has another signature");
_Static_assert(_Generic((kaizen_batch_refusal)0,
                        void (*)(void *ctx, uint64_t line, int32_t code, const char *reason) : 1,
                        default : 0),
               "kaizen_batch_refusal has another signature");

int main(void) {
  return 0;
}
