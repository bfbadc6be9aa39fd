/* call.h - how a host's call enters an instance, and how it ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Between call_begin() and its end errno, cancellation and signals are guarded and the pipeline
 * stays alive.  A call reads:
 *
 *   if (!count)
 *     return call_refuse(instance, KAIZEN_E_ARGUMENT, "resend: count is NULL");
 *   code = call_begin(&call, instance, "resend", CALL_CONFIGURED);
 *   if (code != KAIZEN_OK)
 *     return code;
 *   return call_end(&call, work(call.pipeline, count, &call.error)); */
#ifndef KAIZEN_CALL_H
#define KAIZEN_CALL_H

#include <kaizen/extensions.h>

#include "base/host_guard.h"
#include "common/buffer.h"
#include "edge/instance.h"

struct call {
  struct kaizen_instance *instance;
  enum instance_state state; /* when it began */
  struct pipeline *pipeline; /* NULL when the instance has none */
  struct error error;        /* why the call fails */
  struct host_guard guard;
};

/* Flag bits that change a meaning: an unknown one is refused; the others only add data. */
#define CALL_MUST_KNOW 0xffffu
/* States that a call is allowed in. */
#define CALL_IN(state) (1u << (state))
#define CALL_IN_ANY_STATE (CALL_NOT_NOW - 1u)
/* A [shared] call: another thread may be stopping and starting the instance meanwhile, so that
 * E_STATE, which is final, would be wrong.  It gets E_STOPPED: the same call may work a moment
 * later. */
#define CALL_NOT_NOW (1u << 31)
#define CALL_WHILE_RUNNING (CALL_IN(INSTANCE_RUNNING) | CALL_NOT_NOW)
#define CALL_CONFIGURED                                                                            \
  (CALL_IN(INSTANCE_CONFIGURED) | CALL_IN(INSTANCE_RUNNING) | CALL_IN(INSTANCE_STOPPED))

/* KAIZEN_OK, or the code to answer, with call->error filled: E_ARGUMENT (no instance), E_FORKED,
 * E_STATE or, with CALL_NOT_NOW, E_STOPPED.  `name`: the call's, for that text; NULL for one that
 * records, to which last_error does not apply. */
int32_t call_begin(struct call *call, struct kaizen_instance *instance, const char *name,
                   unsigned allowed_states);
/* Ends it with result 0 (KAIZEN_OK), > 0 (that code), or < 0: call->error's code, and its text is
 * last_error's from now on. */
int32_t call_end(struct call *call, int32_t result);
/* Ends it without touching last_error. */
void call_leave(struct call *call);

/* For a call that has not begun: stores the text for last_error, answers the code. */
int32_t call_refuse(struct kaizen_instance *instance, int32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An agent's name, checked and with its NUL.  0 or -1 with call->error. */
int call_take_agent(struct call *call, const char *agent, size_t len,
                    char name[AGENT_NAME_MAX + 1]);
/* Fills call->error for an agent that has no log; answers -1. */
int call_no_such_agent(struct call *call, const char *name);
/* Hands a whole report to the sink, and frees it.  -1 with call->error when there was no memory
 * for it or the sink refused. */
int call_send_report(struct call *call, struct buffer *report, kaizen_sink sink, void *ctx);

#endif
