/* nemo_run.c - one execution of an agent as the host reports it, and its record.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "adapters/nemo_relay/nemo_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/json_writer.h"
#include "common/utf8.h"

#define NS_PER_S 1e9

static struct span span_of(const char *text) {
  return (struct span){text, strlen(text)};
}

/* ---- who ------------------------------------------------------------------------------------- */

static int take_name(struct nemo_run *run, struct json_value value,
                     const struct kaizen_names_1 *names) {
  struct buffer name = {0};
  int result = 0;

  if (run->agent[0] != '\0' || value.type != JSON_STRING)
    return 0;
  json_value_decode(value, &name);
  int32_t changed =
      name.failed ? 0 : names->map(name.data ? name.data : "", name.len, run->agent, NULL, 0);
  if (name.failed || changed < 0)
    run->agent[0] = '\0';
  if (changed == 1) {
    buffer_append(&run->raw_name, name.data, utf8_cut(buffer_span(&name), NEMO_NAME_SHOWN_MAX));
    if (run->raw_name.failed)
      result = -1;
  }
  if (name.failed)
    result = -1;
  buffer_fini(&name);
  return result;
}

static bool is_hex(const char *text, size_t len) {
  return strspn(text, "0123456789abcdef") == len && text[len] == '\0' &&
         strspn(text, "0") < len; /* all zero means none */
}

/* The host's own W3C text, else one of its trace and span ids, without the flag "sampled". */
static void take_trace(struct nemo_run *run, struct json_value metadata) {
  char text[NEMO_TRACEPARENT_SIZE], trace[33], parent[17];
  char version[3], flags[3];

  if (run->traceparent[0] != '\0')
    return;
  if (nemo_json_text(metadata, "traceparent", text, sizeof text) &&
      sscanf(text, "%2[0-9a-f]-%32[0-9a-f]-%16[0-9a-f]-%2[0-9a-f]", version, trace, parent,
             flags) == 4 &&
      strlen(text) == NEMO_TRACEPARENT_SIZE - 1 && is_hex(trace, 32) && is_hex(parent, 16))
    memcpy(run->traceparent, text, sizeof text);
  else if (nemo_json_text(metadata, "trace_id", trace, sizeof trace) && is_hex(trace, 32) &&
           nemo_json_text(metadata, "span_id", parent, sizeof parent) && is_hex(parent, 16))
    (void)snprintf(run->traceparent, sizeof run->traceparent, "00-%s-%s-00", trace, parent);
}

int nemo_run_identify(struct nemo_run *run, const struct nemo_event *event,
                      const struct kaizen_names_1 *names) {
  memcpy(run->uuid, event->uuid, sizeof run->uuid);
  if (run->session[0] == '\0')
    (void)nemo_json_text(event->metadata, "session_id", run->session, sizeof run->session);
  take_trace(run, event->metadata);
  return take_name(run, event->name, names);
}

void nemo_run_fini(struct nemo_run *run) {
  buffer_fini(&run->raw_name);
}

/* ---- its record ------------------------------------------------------------------------------ */

static void add_name(struct buffer *out, const char *name) {
  buffer_append_text(out, out->len == 0 ? "{" : ",");
  json_writer_string(out, span_of(name));
  buffer_append_byte(out, ':');
}

static void add_text(struct buffer *out, const char *name, const char *text) {
  if (!text || text[0] == '\0')
    return;
  add_name(out, name);
  json_writer_string(out, span_of(text));
}

static void add_count(struct buffer *out, const char *name, int64_t count) {
  add_name(out, name);
  json_writer_integer(out, count);
}

static void write_metadata(struct buffer *out, const struct nemo_run *run,
                           const struct nemo_host *host) {
  static const char *const outcomes[] = {[NEMO_NOT_TOLD] = "",
                                         [NEMO_COMPLETED] = "completed",
                                         [NEMO_FAILED] = "failed",
                                         [NEMO_TIMED_OUT] = "timeout",
                                         [NEMO_ABORTED] = "aborted"};
  static const char *const counts[NEMO_TOKENS] = {[NEMO_INPUT_TOKENS] = "input_tokens",
                                                  [NEMO_OUTPUT_TOKENS] = "output_tokens",
                                                  [NEMO_CACHE_READ_TOKENS] = "cache_read_tokens",
                                                  [NEMO_CACHE_WRITE_TOKENS] = "cache_write_tokens",
                                                  [NEMO_REASONING_TOKENS] = "reasoning_tokens"};

  add_text(out, "outcome", outcomes[run->outcome]);
  add_text(out, "error_type", run->error_type);
  add_text(out, "traceparent", run->traceparent);
  add_text(out, "model", nemo_usage_model(&run->usage));
  if (run->usage.has_cost) {
    add_name(out, "cost_usd");
    json_writer_double(out, run->usage.cost_usd);
  }
  for (int i = 0; i < NEMO_TOKENS; i++)
    if (run->usage.known[i])
      add_count(out, counts[i], run->usage.counts[i]);
  if (run->tool_errors > 0)
    add_count(out, "tool_errors", run->tool_errors);
  add_text(out, "host", "nemo-relay");
  add_text(out, "host_version", host->version);
  if (run->raw_name.len > 0) {
    add_name(out, "agent_name");
    json_writer_string(out, buffer_span(&run->raw_name));
  }
  buffer_append_byte(out, '}');
}

int32_t nemo_run_record(const struct nemo_run *run, const struct kaizen_plugin_v1 *plugin,
                        struct kaizen_instance *instance, const struct nemo_host *host,
                        struct kaizen_receipt *receipt) {
  struct buffer metadata = {0};
  char extra[48];
  bool failed =
      run->outcome == NEMO_FAILED || run->outcome == NEMO_TIMED_OUT || run->outcome == NEMO_ABORTED;
  struct kaizen_execution execution = {
      .struct_size = sizeof execution,
      .outcome = failed ? KAIZEN_FAILURE : KAIZEN_SUCCESS,
      .timestamp_unix_ns = run->end_ns,
      .agent = {run->agent, KAIZEN_NTS},
      .idempotency_key = {run->uuid, KAIZEN_NTS},
  };
  int32_t code = KAIZEN_E_NOMEM;

  if (run->elapsed_ns >= 0) {
    execution.flags |= KAIZEN_EXEC_HAS_TIME;
    execution.execution_time_s = (double)run->elapsed_ns / NS_PER_S;
  }
  if (run->session[0] != '\0')
    execution.session_id = (struct kaizen_str){run->session, KAIZEN_NTS};
  if (run->usage.known[NEMO_TOKENS]) {
    (void)snprintf(extra, sizeof extra, "{\"tokens\":%" PRId64 "}", run->usage.counts[NEMO_TOKENS]);
    execution.extra_json = (struct kaizen_str){extra, KAIZEN_NTS};
  }
  write_metadata(&metadata, run, host);
  if (!metadata.failed) {
    execution.metadata_json = (struct kaizen_str){metadata.data, metadata.len};
    code = plugin->on_execution_end(instance, &execution, receipt, NULL);
  }
  buffer_fini(&metadata);
  return code;
}
