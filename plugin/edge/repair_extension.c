/* repair_extension.c - kaizen.repair/1.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/json_writer.h"
#include "edge/call.h"
#include "edge/extension_tables.h"
#include "edge/open_run.h"
#include "store/salvage.h"
#include "store/verify.h"

/* verify_agent()'s report; after a repair (not NULL), with what it did. */
static int make_report(struct call *call, const char *name, const struct salvage_result *done,
                       struct buffer *report) {
  struct pipeline *pipeline = call->pipeline;
  int result = verify_agent(&pipeline->project, name, (unsigned)pipeline->config.trend_window,
                            pipeline_patience(pipeline).lock_ns, report, &call->error);

  if (result < 0)
    pipeline_note_failed(pipeline, name, &call->error);
  if (result == 1)
    return call_no_such_agent(call, name);
  if (result != 0 || !done || report->failed)
    return result;
  report->len--; /* the closing brace */
  if (done->saved_to[0] != '\0') {
    buffer_append_text(report, ",\"saved_to\":");
    json_writer_string(report, (struct span){done->saved_to, strlen(done->saved_to)});
  }
  if (done->held_back > 0) {
    buffer_append_text(report, ",\"held_back\":");
    json_writer_integer(report, (int64_t)done->held_back);
  }
  buffer_append_text(report, "}");
  return result;
}

static int32_t repair_verify(struct kaizen_instance *instance, const char *agent, size_t agent_len,
                             kaizen_sink sink, void *ctx) {
  char name[AGENT_NAME_MAX + 1];
  struct buffer report = {0};
  struct call call;
  int32_t code;
  int result;

  if (!sink)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "verify: sink is NULL");
  code = call_begin(&call, instance, "verify", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  result = call_take_agent(&call, agent, agent_len, name);
  if (result == 0)
    result = make_report(&call, name, NULL, &report);
  if (result == 0)
    result = call_send_report(&call, &report, sink, ctx);
  buffer_fini(&report);
  return call_end(&call, result);
}

static int32_t repair_repair(struct kaizen_instance *instance, const char *agent, size_t agent_len,
                             kaizen_sink sink, void *ctx) {
  char name[AGENT_NAME_MAX + 1];
  struct salvage_result done;
  struct buffer report = {0};
  const struct config *config;
  struct call call;
  int32_t code;
  int result;

  if (!sink)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "repair: sink is NULL");
  code = call_begin(&call, instance, "repair", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  config = &call.pipeline->config;
  result = call_take_agent(&call, agent, agent_len, name);
  /* checked first, because a repair would make the folder of an agent that has none */
  if (result == 0)
    result = make_report(&call, name, NULL, &report);
  if (result == 0)
    result = salvage_agent(&call.pipeline->project, name, (unsigned)config->trend_window,
                           config->lock_timeout_ms, config->fsync == CONFIG_FSYNC_ALWAYS, &done,
                           &call.error);
  if (result == 0)
    result = open_run_sweep(&call, name, NULL);
  if (result == 0) {
    buffer_clear(&report);
    result = make_report(&call, name, &done, &report);
  }
  if (result == 0)
    result = call_send_report(&call, &report, sink, ctx);
  buffer_fini(&report);
  return call_end(&call, result);
}

const struct kaizen_repair_1 repair_extension = {.verify = repair_verify, .repair = repair_repair};
