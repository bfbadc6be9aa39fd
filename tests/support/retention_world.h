/* retention_world.h - a project with one agent whose log is pruned.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_RETENTION_WORLD_H
#define KAIZEN_TESTS_RETENTION_WORLD_H

#include "project_sandbox.h"

#include "store/agent.h"
#include "store/retention.h"
#include "store/retention_clock.h"

#define DAY_S RETENTION_CLOCK_DAY_S
#define TODAY_S INT64_C(1767225600) /* 2026-01-01 */

static uint64_t dropped;

static const char *file(void) {
  return agent_file("coach", AGENT_LOG_FILE);
}

static void put_log(const char *text) {
  make_agent_folder("coach");
  put_file(file(), text);
}

static int look(int64_t wall_s, int64_t boot_s) {
  const struct retention_look look = {.wall_s = wall_s, .boot_s = boot_s, .boot = 1};
  int64_t wait_ns = INT64_C(2000000000);

  error = (struct error){0};
  return retention_prune(&project, "coach", 180, &look, &wait_ns, false, NULL, &dropped, &error);
}

/* The time since the boot goes on as the wall clock does. */
static int look_at(int64_t now_s) {
  return look(now_s, now_s);
}

#endif
