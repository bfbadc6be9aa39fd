/* span_extension.c - kaizen.span/1: runs from their beginning.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "common/json_writer.h"
#include "common/timestamp.h"
#include "edge/call.h"
#include "edge/extension_tables.h"
#include "edge/layout.h"
#include "edge/open_run.h"
#include "edge/recording.h"
#include "record/execution_from_struct.h"

#define NS_PER_S INT64_C(1000000000)
#define SESSION_ID_MAX 1024u
#define SPAN_FLAGS ((uint32_t)(KAIZEN_EXEC_EMIT | KAIZEN_EXEC_NO_EMIT))
#define OPEN_MAX 1000
/* The spans in an agent's folder are counted once in so many begins: reading it costs more than a
 * begin. */
#define BEGINS_A_COUNT 64u

_Static_assert(KAIZEN_SPAN_TOKEN_SIZE >= UUID_TEXT_SIZE, "a token is a UUID's text");

/* ---- begin ----------------------------------------------------------------------------------- */

/* Checks the rules that the record of a lost run has to meet. */
static int check(const struct call *call, const struct kaizen_span *in, struct error *error) {
  struct kaizen_execution lost = {.struct_size = sizeof lost,
                                  .flags = in->flags,
                                  .outcome = KAIZEN_FAILURE,
                                  .agent = in->agent,
                                  .idempotency_key = in->idempotency_key,
                                  .session_id = in->session_id};
  struct execution execution = {0};
  struct execution_limits limits;
  size_t len = in->session_id.ptr && in->session_id.len == KAIZEN_NTS ? strlen(in->session_id.ptr)
                                                                      : in->session_id.len;
  int result;

  if (in->flags & CALL_MUST_KNOW & ~SPAN_FLAGS)
    return error_set(error, KAIZEN_E_UNSUPPORTED, "flag bits 0x%x are unknown here",
                     in->flags & CALL_MUST_KNOW & ~SPAN_FLAGS);
  if (len > SESSION_ID_MAX)
    return error_set(error, KAIZEN_E_REJECTED, "session_id has %zu bytes; a span stores at most %u",
                     len, SESSION_ID_MAX);
  instance_limits(call->pipeline, instance_now_ns(call->instance), &limits);
  result = execution_from_struct(&execution, &lost, &limits, error);
  execution_fini(&execution);
  return result;
}

static void append(struct buffer *out, struct kaizen_str text) {
  if (text.ptr)
    buffer_append(out, text.ptr, text.len == KAIZEN_NTS ? strlen(text.ptr) : text.len);
}

static int check_room(struct call *call, int agent_fd, const char *agent) {
  int open;

  if (atomic_fetch_add(&call->pipeline->spans_begun, 1) % BEGINS_A_COUNT != 0)
    return 0;
  open = open_span_count(agent_fd, OPEN_MAX, &call->error);
  if (open >= OPEN_MAX)
    return error_set(&call->error, KAIZEN_E_BUSY, "%s has %d open runs; end or cancel them", agent,
                     open);
  return open < 0 ? -1 : 0;
}

/* 1: somebody cancelled the agent's only run, and its empty folder went with it. */
static int make_span(struct call *call, const char *agent, const char *token,
                     const struct open_span *span) {
  int agent_fd;
  int result = project_agent_folder(&call->pipeline->project, agent, true, &agent_fd, &call->error);

  if (result != 0)
    return -1;
  result = check_room(call, agent_fd, agent);
  if (result == 0)
    result = open_span_create(agent_fd, token, span, &call->error);
  (void)close(agent_fd);
  return result;
}

static int begin_span(struct call *call, const struct kaizen_span *in, char *token) {
  struct open_span span = {.exec_flags = in->flags & SPAN_FLAGS,
                           .began_unix_ns = instance_now_ns(call->instance),
                           .began_boot_ns = clock_boot_ns(),
                           .owner = *pipeline_process(call->pipeline)};
  char agent[AGENT_NAME_MAX + 1], made[UUID_TEXT_SIZE];
  int result = check(call, in, &call->error);
  enum { TRIES = 8 };

  if (result == 0)
    result = call_take_agent(call, in->agent.ptr, in->agent.len, agent);
  if (result == 0) {
    uuid_random(made);
    append(&span.key, in->idempotency_key);
    if (span.key.len == 0) {
      buffer_append_text(&span.key, "span:");
      buffer_append_text(&span.key, made);
    }
    append(&span.session_id, in->session_id);
    result = 1;
    for (int i = 0; i < TRIES && result == 1; i++)
      result = make_span(call, agent, made, &span);
    if (result == 1)
      result = error_set(&call->error, KAIZEN_E_IO,
                         "another program keeps removing the folder of %s", agent);
  }
  if (result == 0)
    memcpy(token, made, sizeof made);
  open_span_fini(&span);
  return result == 0 ? 0 : -1;
}

static int32_t span_begin(struct kaizen_instance *instance, const struct kaizen_span *in,
                          char token[KAIZEN_SPAN_TOKEN_SIZE]) {
  struct call call;
  int32_t code;

  if (token)
    memset(token, 0, KAIZEN_SPAN_TOKEN_SIZE);
  if (!token || !in || in->struct_size < LAYOUT_1_0_SPAN)
    return call_refuse(instance, KAIZEN_E_ARGUMENT,
                       "begin: a NULL argument, or a struct smaller than its 1.0 layout");
  code = call_begin(&call, instance, "begin", CALL_WHILE_RUNNING);
  if (code != KAIZEN_OK)
    return code;
  return call_end(&call, begin_span(&call, in, token));
}

/* ---- cancel, list, sweep --------------------------------------------------------------------- */

static int cancel_span(struct call *call, const char *agent, size_t agent_len, const char *token) {
  char name[AGENT_NAME_MAX + 1];
  int agent_fd = -1, result = call_take_agent(call, agent, agent_len, name);

  if (result == 0 && !uuid_is_text((struct span){token, strlen(token)}))
    result = error_set(&call->error, KAIZEN_E_REJECTED, "token: not a text from begin()");
  if (result == 0)
    result = project_agent_folder(&call->pipeline->project, name, false, &agent_fd, &call->error);
  if (result == 0)
    result = open_span_remove(agent_fd, token, &call->error);
  if (agent_fd >= 0)
    (void)close(agent_fd);
  if (result == 0) /* a run that was never recorded leaves nothing */
    project_drop_agent_folder(&call->pipeline->project, name);
  return result < 0 ? -1 : 0;
}

static int32_t span_cancel(struct kaizen_instance *instance, const char *agent, size_t agent_len,
                           const char *token) {
  struct call call;
  int32_t code;

  if (!token)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "cancel: token is NULL");
  code = call_begin(&call, instance, "cancel", CALL_WHILE_RUNNING);
  if (code != KAIZEN_OK)
    return code;
  return call_end(&call, cancel_span(&call, agent, agent_len, token));
}

struct listing {
  struct call *call;
  const char *agent;
  int agent_fd;
  kaizen_sink sink;
  void *ctx;
};

static void describe(const struct listing *listing, const char *token, const struct open_span *span,
                     struct buffer *out) {
  const struct process_identity *process = pipeline_process(listing->call->pipeline);
  int64_t elapsed_ns = open_span_elapsed_ns(span, process);
  char began[TIMESTAMP_TEXT_SIZE];

  timestamp_format(span->began_unix_ns / NS_PER_S, began);
  buffer_append_text(out, "{\"agent\":");
  json_writer_string(out, (struct span){listing->agent, strlen(listing->agent)});
  buffer_append_text(out, ",\"token\":\"");
  buffer_append_text(out, token);
  buffer_append_text(out, "\",\"began\":\"");
  buffer_append_text(out, began);
  buffer_append_text(out, "\",\"elapsed_s\":");
  if (elapsed_ns >= 0)
    json_writer_double(out, (double)elapsed_ns / (double)NS_PER_S);
  else
    buffer_append_text(out, "null");
  buffer_append_text(out, ",\"session_id\":");
  if (span->session_id.len > 0)
    json_writer_string(out, buffer_span(&span->session_id));
  else
    buffer_append_text(out, "null");
  buffer_append_text(out, ",\"pid\":");
  json_writer_integer(out, span->owner.pid);
  buffer_append_text(out,
                     open_span_is_lost(span, process) ? ",\"lost\":true}" : ",\"lost\":false}");
}

static int list_span(void *ctx, const char *token) {
  struct listing *listing = ctx;
  struct error *error = &listing->call->error;
  struct buffer text = {0};
  struct open_span span;
  int result = open_span_read(listing->agent_fd, token, &span, error);

  if (result != 0) /* ended meanwhile, or a file that cannot be understood: not a run */
    return result < 0 && error->code != KAIZEN_E_REJECTED ? -1 : 0;
  describe(listing, token, &span, &text);
  open_span_fini(&span);
  return call_send_report(listing->call, &text, listing->sink, listing->ctx);
}

static int list_agent(void *ctx, const char *agent) {
  struct listing *listing = ctx;
  int result;

  listing->agent = agent;
  result = project_agent_folder(&listing->call->pipeline->project, agent, false, &listing->agent_fd,
                                &listing->call->error);
  if (result != 0)
    return result < 0 ? -1 : 0;
  result = open_span_each(listing->agent_fd, list_span, listing, &listing->call->error);
  (void)close(listing->agent_fd);
  return result;
}

static int32_t span_list(struct kaizen_instance *instance, const char *agent, size_t agent_len,
                         kaizen_sink sink, void *ctx) {
  char name[AGENT_NAME_MAX + 1];
  struct call call;
  struct listing listing = {.call = &call, .sink = sink, .ctx = ctx};
  int32_t code;
  int result;

  if (!sink)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "list: sink is NULL");
  code = call_begin(&call, instance, "list", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  if (!agent) {
    result = project_each_agent(&call.pipeline->project, true, list_agent, &listing, &call.error);
  } else {
    result = call_take_agent(&call, agent, agent_len, name);
    if (result == 0)
      result = list_agent(&listing, name);
  }
  return call_end(&call, result < 0 ? -1 : 0);
}

struct sweeping {
  struct call *call;
  uint64_t count;
  struct error failure; /* the first */
};

static int sweep_agent(void *ctx, const char *agent) {
  struct sweeping *sweeping = ctx;

  if (open_run_sweep(sweeping->call, agent, &sweeping->count) != 0 && sweeping->failure.code == 0)
    sweeping->failure = sweeping->call->error;
  return 0;
}

static int32_t span_sweep(struct kaizen_instance *instance, uint64_t *count) {
  struct call call;
  struct sweeping sweeping = {.call = &call};
  int32_t code = call_begin(&call, instance, "sweep", CALL_WHILE_RUNNING);
  int result;

  if (count)
    *count = 0;
  if (code != KAIZEN_OK)
    return code;
  result = project_each_agent(&call.pipeline->project, true, sweep_agent, &sweeping, &call.error);
  if (result == 0 && sweeping.failure.code != 0) {
    call.error = sweeping.failure;
    result = -1;
  }
  if (count)
    *count = sweeping.count;
  return call_end(&call, result < 0 ? -1 : 0);
}

const struct kaizen_span_1 span_extension = {
    .begin = span_begin,
    .end = recording_on_span_end,
    .cancel = span_cancel,
    .list = span_list,
    .sweep = span_sweep,
};
