/* pruning.c - looks for expired lines now and then.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder/pruning.h"

#include <stdio.h>
#include <string.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "store/retention.h"

#define LOOK_EVERY_S 3600
#define NS_PER_S INT64_C(1000000000)

bool pruning_is_due(const struct recorder_options *options, struct open_agent *open,
                    int64_t now_s) {
  int64_t days = options->retention_days;
  bool due = false;

  if (days == 0 || !call_queue_hold_idle(&open->queue))
    return false;
  if (open->agent.loaded && open->agent.fold.oldest_s < now_s - days * RETENTION_CLOCK_DAY_S &&
      (now_s >= open->prune_look_s + LOOK_EVERY_S || now_s < open->prune_look_s)) {
    open->prune_look_s = now_s;
    due = true;
  }
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

/* summary.json is about the records that are left, not only from the next record on. */
static void show_what_is_left(const struct recorder_options *options, const char *name,
                              int64_t wait_ns) {
  struct line_batch batch;
  struct error error = {0};
  struct agent agent;

  line_batch_init(&batch, options);
  agent_init(&agent, options->project, name);
  if (agent_acquire(&agent, clock_monotonic_ns() + wait_ns, &error) == 0) {
    agent.summary_stale = true;
    line_batch_refresh_summary(&batch, &agent);
    agent_release(&agent);
  }
  line_batch_fini(&batch);
  agent_close(&agent);
}

void pruning_run(const struct recorder_options *options, const char *agent, int64_t now_s,
                 int64_t deadline_ns) {
  int64_t wait_ns = deadline_ns - clock_monotonic_ns();
  struct retention_look look = look_at_clocks(options->project, now_s);
  struct error error = {0};
  uint64_t dropped;
  char text[64];
  int result = retention_prune(options->project, agent, options->retention_days, &look, &wait_ns,
                               options->sync, &dropped, &error);

  if (result < 0)
    host_message_send(options, agent, KAIZEN_LOG_WARNING, HOST_MESSAGE_PRUNE_FAILED, error.text);
  if (result != 1)
    return;
  show_what_is_left(options, agent, wait_ns);
  (void)snprintf(text, sizeof text, "%llu expired lines removed from the log",
                 (unsigned long long)dropped);
  host_message_send(options, agent, KAIZEN_LOG_NOTICE, HOST_MESSAGE_PRUNED, text);
}
