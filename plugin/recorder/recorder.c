/* recorder.c - the pipeline from a validated execution to the log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * recorder_record() is docs/design.md, "One record, step by step". */
#include "recorder/recorder.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "record/event_id.h"
#include "recorder/open_agents.h"
#include "recorder/pruning.h"
#include "store/agent_fold.h"
#include "store/project_root.h"

#define NS_PER_MS INT64_C(1000000)
#define ROOT_LOOK_NS (10000 * NS_PER_MS)

struct recorder {
  struct recorder_options options;
  atomic_int_fast64_t root_look_ns; /* when to look again whether the root was moved */
  struct open_agents agents;
  struct pruning pruning;
};

struct recorder *recorder_new(const struct recorder_options *options) {
  struct recorder *recorder = malloc(sizeof *recorder);

  if (!recorder)
    return NULL;
  recorder->options = *options;
  open_agents_init(&recorder->agents, &recorder->options);
  pruning_init(&recorder->pruning, &recorder->options);
  return recorder;
}

void recorder_free(struct recorder *recorder) {
  if (!recorder)
    return;
  pruning_fini(&recorder->pruning);
  open_agents_fini(&recorder->agents);
  free(recorder);
}

static int make_event_ids(const struct recorder *recorder, struct recorder_request *requests,
                          size_t count, struct error *error) {
  struct span slug = {recorder->options.slug, strlen(recorder->options.slug)};
  size_t i;

  for (i = 0; i < count; i++) {
    const struct execution *execution = requests[i].execution;
    struct span agent = {execution->agent, strlen(execution->agent)};

    requests[i].marked = execution->marked;
    requests[i].key_conflict = false;
    requests[i].event_id[0] = '\0';
    if (!execution->marked)
      continue;
    if (execution->key.len == 0)
      uuid_random(requests[i].event_id);
    else if (event_id_from_key(slug, agent, buffer_span(&execution->key), requests[i].event_id) !=
             0)
      return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  }
  return 0;
}

static int fail_busy(const struct recorder *recorder, const char *agent, struct error *error) {
  return error_set(error, KAIZEN_E_BUSY, "agent %s: its lock was not free within %lld ms", agent,
                   (long long)recorder->options.lock_timeout_ms);
}

/* When it failed for lack of descriptors: closes the agents that nobody uses, of any recorder; then
 * one more try makes sense. */
static bool free_descriptors(struct error *error, bool *freed) {
  if (*freed || error->code != KAIZEN_E_IO ||
      (error->os_error != EMFILE && error->os_error != ENFILE))
    return false;
  open_agents_close_idle();
  *error = (struct error){0};
  *freed = true;
  return true;
}

static int acquire(struct recorder *recorder, struct open_agent *open, int64_t deadline_ns,
                   struct error *error) {
  bool freed = false;
  int result = agent_fold_acquire(&open->agent, deadline_ns, error);

  if (result < 0 && free_descriptors(error, &freed)) {
    agent_close(&open->agent);
    result = agent_fold_acquire(&open->agent, deadline_ns, error);
  }
  if (result == 1)
    return fail_busy(recorder, open->agent.name, error);
  if (result < 0)
    error_prefix(error, "agent %s", open->agent.name);
  return result;
}

static void fill_batch(struct line_batch *batch, struct queued_call *const calls[], size_t count) {
  size_t i, requests = 0;

  for (i = 0; i < count; i++)
    requests += calls[i]->count;
  line_batch_begin(batch, requests);
  for (i = 0; i < count; i++)
    line_batch_add(batch, calls[i]->requests, calls[i]->count);
}

static void derive(struct recorder *recorder, struct open_agent *open) {
  line_batch_derive(&open->batch, &open->agent);
  if (!open->batch.starved)
    return;
  open_agents_close_idle();
  line_batch_refresh_summary(&open->batch, &open->agent);
  if (open->batch.starved)
    host_message_send(&recorder->options, open->agent.name, KAIZEN_LOG_WARNING,
                      HOST_MESSAGE_SUMMARY_NOT_WRITTEN, "summary.json: too many open files");
}

static void answer_calls(const struct recorder *recorder, const struct open_agent *open,
                         struct queued_call *const calls[], size_t count,
                         const struct error *error) {
  struct summary summary;
  size_t i;

  summary_of(&open->agent.fold, recorder->options.trend_window, &summary);
  for (i = 0; i < count; i++) {
    calls[i]->summary = summary;
    if (error->code != 0)
      call_queue_call_fail(calls[i], error);
  }
}

/* Reported now and then while it lasts: the records are not where their readers look. */
static void look_at_root(struct recorder *recorder, const char *agent, int64_t now_ns) {
  const struct project *project = recorder->options.project;
  int64_t due_ns = atomic_load_explicit(&recorder->root_look_ns, memory_order_relaxed);
  char text[256];

  if (now_ns < due_ns ||
      !atomic_compare_exchange_strong(&recorder->root_look_ns, &due_ns, now_ns + ROOT_LOOK_NS) ||
      project_root_is_in_place(project->root_fd, project->root))
    return;
  (void)snprintf(
      text, sizeof text,
      "project_root \"%.100s\" was moved, or another folder was put in its place: records "
      "go to the one that was opened; restart this program",
      project->root);
  host_message_send(&recorder->options, agent, KAIZEN_LOG_WARNING, HOST_MESSAGE_ROOT_MOVED, text);
}

static bool any_new_mark(const struct recorder_request *requests, size_t count) {
  size_t i;

  for (i = 0; i < count; i++)
    if (requests[i].marked && requests[i].code == KAIZEN_RECORDED)
      return true;
  return false;
}

void recorder_record(struct recorder *recorder, struct recorder_request *requests, size_t count,
                     int64_t now_s, struct summary *summary, struct error *error) {
  const struct recorder_options *options = &recorder->options;
  const char *name = requests[0].execution->agent;
  struct queued_call call, *served[CALL_QUEUE_TAKEN_MAX];
  struct checkpoint_point point;
  struct open_agent *open = NULL;
  enum call_queue_turn turn;
  size_t served_count;
  bool freed = false;
  int result;

  /* 1. Validated: an execution holds nothing that a record must not, and its event id follows. */
  call_queue_call_init(&call, requests, count,
                       clock_monotonic_ns() + options->lock_timeout_ms * NS_PER_MS);
  *error = (struct error){0};
  if (make_event_ids(recorder, requests, count, error) != 0)
    goto refused;

  /* 2. Take the agent: one call leads, for all that have arrived by then; the others are served. */
  open = open_agents_take(&recorder->agents, name);
  if (!open) {
    (void)error_set(error, KAIZEN_E_NOMEM, "out of memory");
    goto refused;
  }
  turn = call_queue_join(&open->queue, &call);
  if (turn == CALL_QUEUE_SERVED)
    goto answered;
  if (turn == CALL_QUEUE_TOO_LATE) {
    (void)fail_busy(recorder, name, error);
    goto refused;
  }
  if (options->sync)
    call_queue_wait_for_company(&open->queue);

  /* 3. and 4. With the agent's lock: is it still the same file?  Catch up with what others
   * wrote. */
  if (acquire(recorder, open, call.deadline_ns, error) != 0) {
    call_queue_hand_over(&open->queue, &call);
    goto refused;
  }
  served_count = call_queue_take(&open->queue, RECORDER_BATCH_BYTES, served);
  fill_batch(&open->batch, served, served_count);
  do {
    /* 5. Is the key known? */
    result = line_batch_plan(&open->batch, &open->agent, error);
    /* 6. Append: the commit. */
    if (result == 0)
      result = line_batch_append(&open->batch, &open->agent, error);
  } while (result != 0 && free_descriptors(error, &freed));

  /* 7. Derive, unlock, answer. */
  checkpoint_point_none(&point);
  if (result == 0) {
    derive(recorder, open);
    agent_take_due_point(&open->agent, &point);
  } else {
    error_prefix(error, "agent %s", name);
  }
  answer_calls(recorder, open, served, served_count, error);
  agent_release(&open->agent);
  host_message_findings(options, &open->agent, &open->told);
  /* the next leader goes on before those that were served are woken: the log is not idle */
  call_queue_hand_over(&open->queue, NULL);
  call_queue_wake(served, served_count, &call);
  (void)checkpoint_point_sync(&point);
  goto answered;

refused:
  call_queue_call_fail(&call, error);
answered:
  if (open) {
    pruning_run(&recorder->pruning, pruning_is_due(&recorder->pruning, open, now_s), name, now_s,
                call.deadline_ns);
    open_agents_give_back(open);
  }
  look_at_root(recorder, name, call.deadline_ns - options->lock_timeout_ms * NS_PER_MS);
  if (any_new_mark(requests, count) && options->marked)
    options->marked(options->marked_ctx, name);
  if (summary)
    *summary = call.summary;
  *error = call.error;
  call_queue_call_fini(&call);
}
