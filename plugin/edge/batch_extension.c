/* batch_extension.c - kaizen.batch/1: JSON Lines in, one commit for each agent in a run of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A run spans agents only while every line in it carries a key: when one agent's commit fails,
 * `consumed` stays before the run, and what the others had committed is recognised when it is
 * given again.  Lines without keys are committed agent by agent in their order, so that `consumed`
 * says exactly what has been handled.  With KAIZEN_BATCH_ANY_ORDER a run always spans agents: the
 * lines of an agent whose commit fails are reported one by one. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "edge/call.h"
#include "edge/extension_tables.h"
#include "edge/layout.h"
#include "edge/out_struct.h"
#include "record/execution_from_json.h"

#define RUN_MAX 1024
#define RUN_ANY_ORDER_MAX 16384 /* the more lines, the fewer commits per agent */
#define BATCH_FLAGS (uint32_t)(KAIZEN_BATCH_DERIVE_KEYS | KAIZEN_BATCH_ANY_ORDER)
#define EXEC_FLAGS                                                                                 \
  (uint32_t)(KAIZEN_EXEC_EMIT | KAIZEN_EXEC_NO_EMIT | KAIZEN_EXEC_MAP_AGENT |                      \
             KAIZEN_EXEC_KEEP_UNKNOWN)

struct batch {
  struct call call;
  struct execution_limits limits;
  uint32_t exec_flags, batch_flags;
  kaizen_batch_refusal refusal;
  void *ctx;
  struct kaizen_batch_result result;
  /* the run being gathered */
  struct execution *executions; /* run_max of them, used again */
  struct recorder_request *requests;
  uint64_t *line_numbers;
  size_t run_max, count, bytes;
  bool spans_agents, all_keyed;
};

static void tell(struct batch *batch, uint64_t line, int32_t code, const char *reason) {
  if (batch->refusal)
    batch->refusal(batch->ctx, line, code, reason);
}

/* By agent; within one in the order of the lines, which is that of the array. */
static int compare_requests(const void *a, const void *b) {
  const struct execution *x = ((const struct recorder_request *)a)->execution;
  const struct execution *y = ((const struct recorder_request *)b)->execution;
  int order = strcmp(x->agent, y->agent);

  return order != 0 ? order : (x > y) - (x < y);
}

static bool any_order(const struct batch *batch) {
  return (batch->batch_flags & KAIZEN_BATCH_ANY_ORDER) != 0;
}

/* Counts and reports the result of a line.  0, or its code when that is transient or unknown. */
static int32_t answer(struct batch *batch, const struct recorder_request *request, int32_t code,
                      const char *reason) {
  uint64_t line = batch->line_numbers[request->execution - batch->executions];

  instance_count(batch->call.instance, code);
  batch->result.recorded += code == KAIZEN_RECORDED;
  batch->result.duplicates += code == KAIZEN_DUPLICATE;
  if (code == KAIZEN_DUPLICATE)
    tell(batch, line, code, "its key is in the log");
  if (code >= 0)
    return 0;
  tell(batch, line, code, reason);
  if (any_order(batch))
    batch->result.lines--;
  return code;
}

/* How many of the requests one call of the recorder carries. */
static size_t carried(const struct recorder_request *requests, size_t count) {
  uint64_t bytes = requests[0].execution->line.len;
  size_t i;

  for (i = 1; i < count; i++) {
    bytes += requests[i].execution->line.len;
    if (bytes > RECORDER_BATCH_BYTES)
      break;
  }
  return i;
}

/* One agent's part of the run.  0, or the code of a transient or unknown failure.  What follows a
 * line that failed is not tried: it would come before that line in the log. */
static int32_t commit_agent(struct batch *batch, struct recorder_request *requests, size_t count) {
  struct error error = {0};
  int32_t failure = 0;
  size_t begin, end, i;

  for (begin = 0; begin < count && failure == 0; begin = end) {
    end = begin + carried(requests + begin, count - begin);
    recorder_record(batch->call.pipeline->recorder, requests + begin, end - begin,
                    batch->limits.now_s, NULL, &error);
    for (i = begin; i < end && (failure == 0 || any_order(batch)); i++) {
      int32_t code = answer(batch, &requests[i], requests[i].code, error.text);

      failure = failure != 0 ? failure : code;
    }
  }
  if (failure != 0 && batch->call.error.code == 0)
    batch->call.error = error;
  for (i = begin; i < count && any_order(batch); i++)
    (void)answer(batch, &requests[i], failure, error.text);
  return failure;
}

/* 0, or the code of the first failure: then none of the run's lines counts as handled, or, in any
 * order, all except those that were reported. */
static int32_t commit_run(struct batch *batch) {
  struct recorder_request *requests = batch->requests;
  int32_t failure = 0;
  size_t begin, end;

  for (begin = 0; begin < batch->count; begin++)
    requests[begin] = (struct recorder_request){.execution = &batch->executions[begin]};
  if (batch->spans_agents)
    qsort(requests, batch->count, sizeof *requests, compare_requests);
  for (begin = 0; begin < batch->count && (failure == 0 || any_order(batch)); begin = end) {
    const char *agent = requests[begin].execution->agent;
    int32_t code;

    for (end = begin + 1; end < batch->count && strcmp(requests[end].execution->agent, agent) == 0;)
      end++;
    code = commit_agent(batch, &requests[begin], end - begin);
    failure = failure != 0 ? failure : code;
  }
  if (failure == 0 || any_order(batch)) {
    batch->count = batch->bytes = 0;
    batch->spans_agents = false;
    batch->all_keyed = true;
  }
  return failure;
}

/* The same; everything before `upto` is then done, except for a run that is to be given again. */
static int32_t commit_upto(struct batch *batch, uint64_t upto) {
  int32_t code = commit_run(batch);

  if (batch->count == 0)
    batch->result.consumed = upto;
  return code;
}

static int parse(struct batch *batch, struct execution *execution, struct span line,
                 struct error *error) {
  int result = execution_from_json(execution, line, batch->exec_flags, &batch->limits, error);

  if (result != 0 || execution->key.len > 0 || !(batch->batch_flags & KAIZEN_BATCH_DERIVE_KEYS))
    return result;
  return execution_derive_key(execution, line, &batch->limits, error);
}

static bool fits_run(const struct batch *batch, const struct execution *execution) {
  bool keyed = batch->all_keyed && execution->key.len > 0;

  if (batch->count == 0 || any_order(batch))
    return true;
  if (batch->bytes + execution->line.len > RECORDER_BATCH_BYTES)
    return false;
  return keyed ||
         (!batch->spans_agents && strcmp(execution->agent, batch->executions[0].agent) == 0);
}

/* 0 when the line is in the run or was refused permanently. */
static int32_t take_line(struct batch *batch, struct span line, uint64_t number, uint64_t offset) {
  struct execution *execution = &batch->executions[batch->count];
  struct error error = {0};
  int32_t code;

  execution->timestamp_s = -1; /* removes what an earlier line left there */
  if (parse(batch, execution, line, &error) != 0) {
    if (error.code <= -64) {
      batch->call.error = error;
      return error.code;
    }
    instance_count(batch->call.instance, error.code);
    batch->result.rejected++;
    batch->result.older_than_retention +=
        execution->timestamp_s < batch->limits.oldest_s && execution->timestamp_s >= 0;
    tell(batch, number, error.code, error.text);
    return 0;
  }
  if (!fits_run(batch, execution)) {
    struct execution swap = batch->executions[0];

    code = commit_upto(batch, offset);
    if (code < 0)
      return code;
    batch->executions[0] = *execution;
    *execution = swap;
    execution = &batch->executions[0];
  }
  batch->spans_agents |= strcmp(execution->agent, batch->executions[0].agent) != 0;
  batch->all_keyed &= execution->key.len > 0;
  batch->line_numbers[batch->count++] = number;
  batch->bytes += execution->line.len;
  return 0;
}

static bool is_blank(struct span line) {
  size_t i;

  for (i = 0; i < line.len; i++)
    if (!memchr(" \t\r", line.ptr[i], 3))
      return false;
  return true;
}

static int32_t take_lines(struct batch *batch, struct span lines) {
  uint64_t number = 0;
  size_t at = 0;
  int32_t code = 0;

  while (code == 0 && at < lines.len) {
    const char *newline = memchr(lines.ptr + at, '\n', lines.len - at);
    size_t end = newline ? (size_t)(newline - lines.ptr) : lines.len;
    struct span line = {lines.ptr + at, end - at};

    number++;
    if (!is_blank(line)) {
      code = take_line(batch, line, number, at);
      batch->result.lines += code == 0;
    }
    at = newline ? end + 1 : end;
    if (code == 0 && (batch->count == batch->run_max || batch->count == 0))
      code = commit_upto(batch, at);
  }
  return code == 0 ? commit_upto(batch, lines.len) : code;
}

static int make_room(struct batch *batch) {
  batch->executions = calloc(batch->run_max, sizeof *batch->executions);
  batch->requests = calloc(batch->run_max, sizeof *batch->requests);
  batch->line_numbers = calloc(batch->run_max, sizeof *batch->line_numbers);
  return batch->executions && batch->requests && batch->line_numbers ? 0 : -1;
}

static void free_room(struct batch *batch) {
  size_t i;

  for (i = 0; batch->executions && i < batch->run_max; i++)
    execution_fini(&batch->executions[i]);
  free(batch->executions);
  free(batch->requests);
  free(batch->line_numbers);
}

static int32_t batch_record(struct kaizen_instance *instance, const char *lines, size_t len,
                            uint32_t exec_flags, uint32_t batch_flags, kaizen_batch_refusal refusal,
                            void *ctx, struct kaizen_batch_result *result) {
  struct batch batch = {.exec_flags = exec_flags,
                        .batch_flags = batch_flags,
                        .refusal = refusal,
                        .ctx = ctx,
                        .run_max = RUN_MAX,
                        .all_keyed = true};
  uint32_t unknown;
  int32_t code;

  if (!result || result->struct_size < LAYOUT_1_0_BATCH_RESULT)
    return call_refuse(instance, KAIZEN_E_ARGUMENT,
                       "record: result is NULL, or smaller than its 1.0 layout");
  out_struct_write(result, &batch.result, sizeof batch.result);
  if (!lines)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "record: lines is NULL");
  if (any_order(&batch) && !refusal)
    return call_refuse(instance, KAIZEN_E_ARGUMENT,
                       "record: KAIZEN_BATCH_ANY_ORDER needs the refusal callback");
  if (any_order(&batch))
    batch.run_max = RUN_ANY_ORDER_MAX;
  unknown =
      (exec_flags & CALL_MUST_KNOW & ~EXEC_FLAGS) | (batch_flags & CALL_MUST_KNOW & ~BATCH_FLAGS);
  if (unknown)
    return call_refuse(instance, KAIZEN_E_UNSUPPORTED, "record: flag bits 0x%x are unknown here",
                       unknown);
  code = call_begin(&batch.call, instance, NULL, CALL_WHILE_RUNNING);
  if (code != KAIZEN_OK)
    return call_refuse(instance, code, "record: %s", batch.call.error.text);
  instance_limits(batch.call.pipeline, instance_now_ns(instance), &batch.limits);
  code = make_room(&batch) == 0
             ? take_lines(&batch, (struct span){lines, len == KAIZEN_NTS ? strlen(lines) : len})
             : error_set(&batch.call.error, KAIZEN_E_NOMEM, "out of memory");
  free_room(&batch);
  out_struct_write(result, &batch.result, sizeof batch.result);
  return call_end(&batch.call, code);
}

const struct kaizen_batch_1 batch_extension = {.record = batch_record};
