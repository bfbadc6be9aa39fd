/* recording.c - one execution from the host to its receipt.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "edge/recording.h"

#include <string.h>

#include "base/process.h"
#include "edge/call.h"
#include "edge/layout.h"
#include "edge/open_run.h"
#include "edge/out_struct.h"
#include "record/execution_from_json.h"
#include "record/execution_from_struct.h"

/* Counted and reported whatever the cause, so that no record is lost silently. */
static void note_refusal(struct kaizen_instance *instance, int32_t code, const char *reason) {
  bool may_pass = code <= -64;

  instance_count(instance, code);
  host_log_send(&instance->log, may_pass ? KAIZEN_LOG_ERROR : KAIZEN_LOG_NOTICE,
                may_pass ? HOST_LOG_RECORD_FAILED : HOST_LOG_REJECTED, reason);
}

/* Fills the out-structs as after any call that recorded nothing. */
static int32_t answer_refusal(int32_t code, const char *reason, struct kaizen_receipt *receipt,
                              struct kaizen_summary *summary) {
  struct kaizen_receipt ours = {0};
  const struct kaizen_summary nothing = {0};

  out_struct_set_text(ours.reason, sizeof ours.reason, reason);
  out_struct_write(receipt, &ours, sizeof ours);
  out_struct_write(summary, &nothing, sizeof nothing);
  return code;
}

static void answer_recorded(const struct recorder_request *request, const struct summary *summary,
                            struct kaizen_receipt *receipt, struct kaizen_summary *out_summary) {
  struct kaizen_receipt ours = {
      .flags = (request->marked ? KAIZEN_RECEIPT_MARKED : 0u) |
               (request->key_conflict ? KAIZEN_RECEIPT_KEY_CONFLICT : 0u),
  };

  if (request->marked)
    memcpy(ours.event_id, request->event_id, UUID_TEXT_SIZE);
  out_struct_write(receipt, &ours, sizeof ours);
  if (out_summary)
    out_struct_write_summary(out_summary, summary);
}

/* For a call that fails before it begins. */
static int32_t refuse(struct kaizen_instance *instance, int32_t code, const char *reason,
                      struct kaizen_receipt *receipt, struct kaizen_summary *summary) {
  struct host_guard guard;

  if (instance && instance->process == process_number()) {
    host_guard_enter(&guard);
    note_refusal(instance, code, reason);
    host_log_deliver(&instance->log);
    host_guard_leave(&guard);
  }
  return answer_refusal(code, reason, receipt, summary);
}

/* What a host gives: either `in` or `json`; with `in` a token when it ends a span. */
struct given {
  const struct kaizen_execution *in;
  struct span json;
  uint32_t json_flags;
  const char *token;
};

/* Where all ways of giving one execution meet. */
static int32_t record(struct kaizen_instance *instance, const struct given *given,
                      struct kaizen_receipt *receipt, struct kaizen_summary *out_summary) {
  struct execution execution = {0};
  struct recorder_request request = {.execution = &execution};
  struct open_run run = {.agent_fd = -1};
  const struct kaizen_execution *in = given->in;
  struct execution_limits limits;
  struct summary summary;
  struct call call;
  bool only_checked = (in ? in->flags : given->json_flags) & KAIZEN_EXEC_CHECK_ONLY;
  int32_t code = call_begin(&call, instance, NULL, CALL_WHILE_RUNNING);
  int valid = 0;

  if (code != KAIZEN_OK)
    return refuse(instance, code, call.error.text, receipt, out_summary);
  instance_limits(call.pipeline, instance_now_ns(instance), &limits);
  if (given->token) {
    valid = open_run_take(&run, &call, given->token, in);
    in = &run.execution;
  }
  if (valid == 0)
    valid =
        in ? execution_from_struct(&execution, in, &limits, &call.error)
           : execution_from_json(&execution, given->json, given->json_flags, &limits, &call.error);
  if (valid == 0 && !only_checked)
    recorder_record(call.pipeline->recorder, &request, 1, limits.now_s, &summary, &call.error);
  code = valid != 0 ? call.error.code : only_checked ? KAIZEN_OK : request.code;
  if (only_checked) {
    (void)answer_refusal(code, valid == 0 ? "" : call.error.text, receipt, out_summary);
  } else if (code >= 0) {
    instance_count(instance, code);
    answer_recorded(&request, &summary, receipt, out_summary);
  } else {
    note_refusal(instance, code, call.error.text);
    (void)answer_refusal(code, call.error.text, receipt, out_summary);
  }
  open_run_close(&run, code >= 0 && !only_checked);
  if (code >= 0 && !only_checked)
    open_run_sweep_sometimes(&call, execution.agent);
  execution_fini(&execution);
  call_leave(&call);
  return code;
}

/* Of the two out-structs, one that is too small cannot be written; the other reports it. */
static bool outs_fit(struct kaizen_instance *instance, struct kaizen_receipt *receipt,
                     struct kaizen_summary *summary) {
  bool receipt_fits = !receipt || receipt->struct_size >= LAYOUT_1_0_RECEIPT;
  bool summary_fits = !summary || summary->struct_size >= LAYOUT_1_0_SUMMARY;

  if (receipt_fits && summary_fits)
    return true;
  (void)refuse(instance, KAIZEN_E_ARGUMENT, "an out-struct is smaller than its 1.0 layout",
               receipt_fits ? receipt : NULL, summary_fits ? summary : NULL);
  return false;
}

int32_t recording_on_execution_end(struct kaizen_instance *instance,
                                   const struct kaizen_execution *execution,
                                   struct kaizen_receipt *receipt, struct kaizen_summary *summary) {
  if (!outs_fit(instance, receipt, summary))
    return KAIZEN_E_ARGUMENT;
  if (!execution || execution->struct_size < LAYOUT_1_0_EXECUTION)
    return refuse(instance, KAIZEN_E_ARGUMENT,
                  "a NULL argument, or a struct smaller than its 1.0 layout", receipt, summary);
  return record(instance, &(struct given){.in = execution}, receipt, summary);
}

int32_t recording_on_execution_end_json(struct kaizen_instance *instance, const char *json,
                                        size_t len, uint32_t flags, struct kaizen_receipt *receipt,
                                        struct kaizen_summary *summary) {
  if (!outs_fit(instance, receipt, summary))
    return KAIZEN_E_ARGUMENT;
  if (!json)
    return refuse(instance, KAIZEN_E_ARGUMENT, "the JSON text is NULL", receipt, summary);
  return record(
      instance,
      &(struct given){.json = {json, len == KAIZEN_NTS ? strlen(json) : len}, .json_flags = flags},
      receipt, summary);
}

int32_t recording_on_span_end(struct kaizen_instance *instance, const char *token,
                              const struct kaizen_execution *execution,
                              struct kaizen_receipt *receipt, struct kaizen_summary *summary) {
  if (!outs_fit(instance, receipt, summary))
    return KAIZEN_E_ARGUMENT;
  if (!token || !execution || execution->struct_size < LAYOUT_1_0_EXECUTION)
    return refuse(instance, KAIZEN_E_ARGUMENT,
                  "a NULL argument, or a struct smaller than its 1.0 layout", receipt, summary);
  return record(instance, &(struct given){.in = execution, .token = token}, receipt, summary);
}
