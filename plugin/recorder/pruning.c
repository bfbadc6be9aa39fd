/* pruning.c - looks for expired lines now and then.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder/pruning.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/os_process.h"
#include "base/timed_wait.h"
#include "store/agent_fold.h"
#include "store/retention.h"

#define LOOK_EVERY_S 3600
#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define ON_THE_CALL_BYTES (UINT64_C(1) << 20) /* some ten milliseconds */
#define END_PATIENCE_NS (5 * NS_PER_S) /* for short-lived processes, which would never prune */
#define NICE 10

static bool is_at_work(struct pruning *pruning) {
  bool at_work;

  (void)pthread_mutex_lock(&pruning->mutex);
  at_work = pruning->running;
  (void)pthread_mutex_unlock(&pruning->mutex);
  return at_work;
}

enum pruning_due pruning_is_due(struct pruning *pruning, struct open_agent *open, int64_t now_s) {
  int64_t days = pruning->options->retention_days;
  enum pruning_due due = PRUNING_NOT_DUE;

  if (days == 0 || !call_queue_hold_idle(&open->queue))
    return PRUNING_NOT_DUE;
  if (open->agent.loaded && open->agent.fold.oldest_s < now_s - days * RETENTION_CLOCK_DAY_S &&
      (now_s >= open->prune_look_s + LOOK_EVERY_S || now_s < open->prune_look_s))
    due = open->agent.anchor.end > ON_THE_CALL_BYTES ? PRUNING_LONG : PRUNING_SHORT;
  if (due == PRUNING_LONG && is_at_work(pruning))
    due = PRUNING_NOT_DUE; /* for another agent: this one's turn comes with a later record */
  if (due != PRUNING_NOT_DUE)
    open->prune_look_s = now_s;
  call_queue_let_go(&open->queue);
  return due;
}

static struct retention_look look_at_clocks(const struct project *project, int64_t now_s) {
  static const unsigned char unknown[sizeof project->boot_id];
  struct retention_look look = {.wall_s = now_s, .boot_s = clock_boot_ns() / NS_PER_S};

  if (memcmp(project->boot_id, unknown, sizeof unknown) != 0)
    memcpy(&look.boot, project->boot_id, sizeof look.boot);
  return look;
}

/* summary.json describes the records that are left, now and not only from the next record on. */
static void show_what_is_left(const struct recorder_options *options, const char *name,
                              int64_t wait_ns) {
  struct line_batch batch;
  struct error error = {0};
  struct agent agent;

  line_batch_init(&batch, options);
  agent_init(&agent, options->project, name);
  if (agent_fold_acquire(&agent, clock_monotonic_ns() + wait_ns, &error) == 0) {
    agent.summary_stale = true;
    line_batch_refresh_summary(&batch, &agent);
    agent_release(&agent);
  }
  line_batch_fini(&batch);
  agent_close(&agent);
}

static void prune(struct pruning *pruning, const char *agent, int64_t now_s, int64_t wait_ns) {
  const struct recorder_options *options = pruning->options;
  struct retention_look look = look_at_clocks(options->project, now_s);
  struct error error = {0};
  uint64_t dropped;
  char text[64];
  int result = retention_prune(options->project, agent, options->retention_days, &look, &wait_ns,
                               options->sync, &pruning->give_up, &dropped, &error);

  if (result < 0)
    host_message_send(options, agent, KAIZEN_LOG_WARNING, HOST_MESSAGE_PRUNE_FAILED, error.text);
  if (result != 1)
    return;
  show_what_is_left(options, agent, wait_ns);
  (void)snprintf(text, sizeof text, "expired lines removed from the log: %llu",
                 (unsigned long long)dropped);
  host_message_send(options, agent, KAIZEN_LOG_NOTICE, HOST_MESSAGE_PRUNED, text);
}

/* ---- on a thread of its own ------------------------------------------------------------------ */

void pruning_init(struct pruning *pruning, const struct recorder_options *options) {
  *pruning = (struct pruning){.options = options};
  (void)pthread_mutex_init(&pruning->mutex, NULL);
  (void)pthread_cond_init(&pruning->ended, NULL);
}

void pruning_fini(struct pruning *pruning) {
  int64_t until_ns = clock_monotonic_ns() + END_PATIENCE_NS;

  (void)pthread_mutex_lock(&pruning->mutex);
  while (pruning->running)
    if (!timed_wait_cond(&pruning->ended, &pruning->mutex, until_ns))
      break;
  (void)pthread_mutex_unlock(&pruning->mutex);
  atomic_store(&pruning->give_up, true);
  if (pruning->started)
    (void)pthread_join(pruning->thread, NULL);
  (void)pthread_cond_destroy(&pruning->ended);
  (void)pthread_mutex_destroy(&pruning->mutex);
}

static void *work(void *ctx) {
  struct pruning *pruning = ctx;

  os_process_name_thread("kaizen-prune");
  (void)!nice(NICE); /* for this thread alone (nice(2), NOTES) */
  prune(pruning, pruning->agent, pruning->now_s, pruning->options->lock_timeout_ms * NS_PER_MS);
  (void)pthread_mutex_lock(&pruning->mutex);
  pruning->running = false;
  (void)pthread_cond_broadcast(&pruning->ended);
  (void)pthread_mutex_unlock(&pruning->mutex);
  return NULL;
}

/* The mutex is held, no thread is at work. */
static bool start(struct pruning *pruning) {
  sigset_t all, before;

  if (pruning->started)
    (void)pthread_join(pruning->thread, NULL);
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  pruning->started = pthread_create(&pruning->thread, NULL, work, pruning) == 0;
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return pruning->running = pruning->started;
}

/* False: no thread is available. */
static bool run_aside(struct pruning *pruning, const char *agent, int64_t now_s) {
  bool aside = true;

  (void)pthread_mutex_lock(&pruning->mutex);
  if (!pruning->running) {
    (void)snprintf(pruning->agent, sizeof pruning->agent, "%s", agent);
    pruning->now_s = now_s;
    aside = start(pruning);
  }
  (void)pthread_mutex_unlock(&pruning->mutex);
  return aside;
}

void pruning_run(struct pruning *pruning, enum pruning_due due, const char *agent, int64_t now_s,
                 int64_t deadline_ns) {
  if (due == PRUNING_SHORT || (due == PRUNING_LONG && !run_aside(pruning, agent, now_s)))
    prune(pruning, agent, now_s, deadline_ns - clock_monotonic_ns());
}
