/* repair.c - kaizen.repair/1.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/json_writer.h"
#include "edge/instance.h"
#include "store/salvage.h"
#include "store/verify.h"

#define READY                                                                                      \
  (IN_STATE(INSTANCE_CONFIGURED) | IN_STATE(INSTANCE_RUNNING) | IN_STATE(INSTANCE_STOPPED))

/* Both calls: with or without the repair before the report. */
static int32_t report(struct kaizen_instance *instance, struct kaizen_str agent, bool mend,
                      kaizen_sink sink, void *ctx) {
  char name[AGENT_NAME_MAX + 1], saved_to[64] = "";
  struct buffer out = {0};
  struct error error = {0};
  struct call call;
  const struct config *config;
  int32_t code;
  int result;

  if (!sink)
    return KAIZEN_E_ARGUMENT;
  code = call_enter(&call, instance, READY);
  if (code != KAIZEN_OK)
    return code;
  config = &call.engine->config;
  result = instance_take_name(agent, name, &error);
  /* first, because a repair would make the folder of an agent that has none */
  if (result == 0)
    result =
        verify_agent(&call.engine->project, name, (unsigned)config->trend_window, &out, &error);
  if (result == 0 && mend) {
    buffer_clear(&out);
    result = salvage_agent(&call.engine->project, name, (unsigned)config->trend_window,
                           config->lock_timeout_ms, config->fsync == CONFIG_FSYNC_ALWAYS, saved_to,
                           &error);
    if (result == 0)
      result =
          verify_agent(&call.engine->project, name, (unsigned)config->trend_window, &out, &error);
  }
  if (result == 0 && saved_to[0] != '\0') {
    out.len--; /* the closing brace */
    buffer_append_text(&out, ",\"saved_to\":");
    json_writer_string(&out, (struct span){saved_to, strlen(saved_to)});
    buffer_append_text(&out, "}");
  }
  if (result == 1)
    result = error_set(&error, KAIZEN_E_REJECTED, "agent %s: nothing has been recorded", name);
  if (result == 0 && out.failed)
    result = error_set(&error, KAIZEN_E_NOMEM, "out of memory");
  if (result == 0 && sink(ctx, out.data, out.len) != 0)
    result = error_set(&error, KAIZEN_E_IO, "the sink ended the output");
  code = result == 0 ? KAIZEN_OK : instance_fail(instance, &error);
  buffer_fini(&out);
  call_leave(&call);
  return code;
}

static int32_t verify(struct kaizen_instance *instance, struct kaizen_str agent, kaizen_sink sink,
                      void *ctx) {
  return report(instance, agent, false, sink, ctx);
}

static int32_t repair(struct kaizen_instance *instance, struct kaizen_str agent, kaizen_sink sink,
                      void *ctx) {
  return report(instance, agent, true, sink, ctx);
}

const struct kaizen_repair_1 repair_extension = {.verify = verify, .repair = repair};
