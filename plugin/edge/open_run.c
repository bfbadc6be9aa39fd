/* open_run.c - runs that were begun: ended by their record, or found lost.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "edge/open_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "common/timestamp.h"
#include "record/execution_from_struct.h"

#define NS_PER_S INT64_C(1000000000)
#define SWEEP_INTERVAL_NS (INT64_C(60) * NS_PER_S)
/* Spans that are looked at in one go: many may be open, and a recording waits for this. */
#define SWEEP_LOOKS_MAX 64

static struct kaizen_str as_given(const struct buffer *text) {
  return (struct kaizen_str){text->len > 0 ? text->data : NULL, text->len};
}

/* ---- ended ----------------------------------------------------------------------------------- */

/* The caller's struct may be shorter or longer than ours. */
static void copy_execution(struct kaizen_execution *to, const struct kaizen_execution *from) {
  memcpy(to, from, from->struct_size < sizeof *to ? from->struct_size : sizeof *to);
  to->struct_size = sizeof *to;
}

static bool same_text(struct kaizen_str given, const struct buffer *text) {
  size_t len = given.len == KAIZEN_NTS ? strlen(given.ptr) : given.len;

  return len == text->len && memcmp(given.ptr, text->data, len) == 0;
}

static int use_span(struct open_run *run, struct call *call) {
  struct kaizen_execution *execution = &run->execution;
  int64_t elapsed_ns = open_span_elapsed_ns(&run->span, pipeline_process(call->pipeline));

  if (execution->idempotency_key.ptr && !same_text(execution->idempotency_key, &run->span.key))
    return error_set(&call->error, KAIZEN_E_REJECTED,
                     "idempotency_key: the span %s was begun with another key; leave it out",
                     run->token);
  execution->idempotency_key = as_given(&run->span.key);
  if (!(execution->flags & KAIZEN_EXEC_HAS_TIME) && elapsed_ns >= 0) {
    execution->flags |= KAIZEN_EXEC_HAS_TIME;
    execution->execution_time_s = (double)elapsed_ns / (double)NS_PER_S;
  }
  return 0;
}

int open_run_take(struct open_run *run, struct call *call, const char *token,
                  const struct kaizen_execution *in) {
  char agent[AGENT_NAME_MAX + 1];
  int fd = -1, result;

  *run = (struct open_run){.agent_fd = -1};
  copy_execution(&run->execution, in);
  if (!uuid_is_text((struct span){token, strlen(token)}))
    return error_set(&call->error, KAIZEN_E_REJECTED, "token: not a text from begin()");
  memcpy(run->token, token, sizeof run->token);
  if (call_take_agent(call, in->agent.ptr, in->agent.len, agent) != 0)
    return -1;
  result = project_agent_folder(&call->pipeline->project, agent, false, &fd, &call->error);
  if (result == 0)
    result = open_span_read(fd, token, &run->span, &call->error);
  if (result == 0) {
    run->agent_fd = fd;
    return use_span(run, call);
  }
  if (fd >= 0)
    (void)close(fd);
  if (result == 1 && !in->idempotency_key.ptr)
    return error_set(&call->error, KAIZEN_E_REJECTED,
                     "token: the span %s of %s is not open; also give the run's idempotency_key",
                     token, agent);
  return result < 0 ? -1 : 0;
}

void open_run_close(struct open_run *run, bool recorded) {
  if (run->agent_fd >= 0) {
    if (recorded)
      (void)open_span_remove(run->agent_fd, run->token, NULL); /* else it is swept as a duplicate */
    (void)close(run->agent_fd);
  }
  open_span_fini(&run->span);
}

/* ---- lost ------------------------------------------------------------------------------------ */

struct sweep {
  struct call *call;
  const char *agent;
  int agent_fd, looks;
  uint64_t recorded;
  bool failed;
};

static int record_lost(struct sweep *sweep, const struct open_span *span) {
  struct call *call = sweep->call;
  char metadata[96], began[TIMESTAMP_TEXT_SIZE];
  struct kaizen_execution in = {.struct_size = sizeof in,
                                .flags = span->exec_flags,
                                .outcome = KAIZEN_FAILURE,
                                .agent = {sweep->agent, KAIZEN_NTS},
                                .idempotency_key = as_given(&span->key),
                                .session_id = as_given(&span->session_id),
                                .metadata_json = {metadata, KAIZEN_NTS}};
  struct execution execution = {0};
  struct recorder_request request = {.execution = &execution};
  struct execution_limits limits;
  int result;

  timestamp_format(span->began_unix_ns / NS_PER_S, began);
  (void)snprintf(metadata, sizeof metadata, "{\"outcome\":\"lost\",\"began\":\"%s\"}", began);
  instance_limits(call->pipeline, instance_now_ns(call->instance), &limits);
  result = execution_from_struct(&execution, &in, &limits, &call->error);
  if (result == 0) {
    recorder_record(call->pipeline->recorder, &request, 1, limits.now_s, NULL, &call->error);
    result = request.code >= 0 ? 0 : -1;
  }
  execution_fini(&execution);
  if (result != 0 || request.code == KAIZEN_DUPLICATE)
    return result;
  sweep->recorded++;
  host_log_send(&call->instance->log, KAIZEN_LOG_NOTICE, HOST_LOG_RUN_LOST,
                "a run was lost with its process; recorded as a failure");
  return 0;
}

static int look_at(void *ctx, const char *token) {
  struct sweep *sweep = ctx;
  struct error *error = &sweep->call->error;
  struct open_span span;
  int result = open_span_read(sweep->agent_fd, token, &span, error);
  bool goes = false;

  if (result == 0 && open_span_is_lost(&span, pipeline_process(sweep->call->pipeline))) {
    goes = record_lost(sweep, &span) == 0;
    sweep->failed = sweep->failed || !goes;
  } else if (result < 0 && error->code == KAIZEN_E_REJECTED) {
    goes = open_span_is_scrap(sweep->agent_fd, token);
  } else if (result < 0) {
    sweep->failed = true;
  }
  if (result == 0)
    open_span_fini(&span);
  if (goes && open_span_remove(sweep->agent_fd, token, error) != 0)
    sweep->failed = true;
  return ++sweep->looks >= SWEEP_LOOKS_MAX;
}

int open_run_sweep(struct call *call, const char *agent, uint64_t *count) {
  struct sweep sweep = {.call = call, .agent = agent};
  int result =
      project_agent_folder(&call->pipeline->project, agent, false, &sweep.agent_fd, &call->error);

  if (result != 0)
    return result < 0 ? -1 : 0;
  result = open_span_each(sweep.agent_fd, look_at, &sweep, &call->error);
  (void)close(sweep.agent_fd);
  if (count)
    *count += sweep.recorded;
  return result < 0 || sweep.failed ? -1 : 0;
}

void open_run_sweep_sometimes(struct call *call, const char *agent) {
  struct pipeline *pipeline = call->pipeline;
  size_t slot = (size_t)(hash_bytes(agent, strlen(agent), 0) % PIPELINE_SWEEP_SLOTS);
  int_fast64_t now_ns = clock_monotonic_ns(), due_ns = atomic_load(&pipeline->sweep_due_ns[slot]);

  if (now_ns >= due_ns && atomic_compare_exchange_strong(&pipeline->sweep_due_ns[slot], &due_ns,
                                                         now_ns + SWEEP_INTERVAL_NS))
    (void)open_run_sweep(call, agent, NULL);
}
