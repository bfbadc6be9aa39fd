/* instance.h - what a host's opaque handle points at, and how a call enters it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_INSTANCE_H
#define KAIZEN_INSTANCE_H

#include <kaizen/extensions.h>
#include <kaizen/plugin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/host_guard.h"
#include "edge/engine.h"
#include "edge/messages.h"
#include "record/execution.h"

enum instance_state { INSTANCE_CREATED, INSTANCE_CONFIGURED, INSTANCE_RUNNING, INSTANCE_STOPPED };

struct kaizen_instance {
  struct kaizen_host_v1 host; /* a copy; what the host's own did not cover is zero */
  pid_t pid;                  /* of the process that created it */
  struct messages messages;
  pthread_mutex_t mutex; /* of state, engine and its count, last_error */
  enum instance_state state;
  struct engine *engine; /* NULL until configured */
  struct config config;  /* what configure() and configure_key() gave so far */
  struct config_origins origins;
  struct error last_error; /* of the last failed [control] call */
  atomic_uint_fast64_t recorded, duplicates, rejected, failed;
};

/* One call: errno, cancellation and signals are guarded from enter to leave. */
struct call {
  struct kaizen_instance *instance;
  enum instance_state state; /* when it was entered */
  struct engine *engine;     /* held until call_leave(); NULL when the instance has none */
  struct host_guard guard;
};

/* KAIZEN_OK, or the code to answer: E_ARGUMENT, E_FORKED, E_STATE.  call_leave() is due only after
 * KAIZEN_OK. */
int32_t call_enter(struct call *call, struct kaizen_instance *instance, unsigned allowed_states);
/* Gives the engine back and delivers queued messages. */
void call_leave(struct call *call);
#define IN_STATE(state) (1u << (state))
#define IN_ANY_STATE (~0u)

/* Copies `ours` into an out-struct of the caller: as much as both know, the rest of the caller's
 * zeroed, its struct_size kept. */
void out_write(void *out, const void *ours, size_t our_size);
void out_write_summary(struct kaizen_summary *out, const struct summary *summary);

/* Checks an agent's name and copies it with its NUL.  0 or -1 with *error. */
int instance_take_name(struct kaizen_str agent, char name[AGENT_NAME_MAX + 1], struct error *error);
/* Keeps the text for last_error; answers the code. */
int32_t instance_fail(struct kaizen_instance *instance, const struct error *error);

int64_t instance_now_ns(const struct kaizen_instance *instance);
void instance_limits(const struct call *call, int64_t now_ns, struct execution_limits *limits);
void instance_count(struct kaizen_instance *instance, int32_t code);

extern const struct kaizen_inspect_1 inspect_extension;
extern const struct kaizen_query_1 query_extension;
extern const struct kaizen_batch_1 batch_extension;
extern const struct kaizen_delivery_1 delivery_extension;
extern const struct kaizen_broker_1 broker_extension;
extern const struct kaizen_repair_1 repair_extension;

#endif
