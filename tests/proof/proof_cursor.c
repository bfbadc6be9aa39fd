/* proof_cursor.c - moves an agent's cursor as the publisher does, without a broker.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "proof_scenario.h"
#include "store/agent_state.h"
#include "store/outbox.h"
#include "store/project.h"

#define LOCK_WAIT_NS INT64_C(300000000)
#define NS_PER_S INT64_C(1000000000)
#define TWO_DAYS_S INT64_C(172900)

/* The lines up to this one are acknowledged. */
static void step(struct cursor *cursor, const struct outbox_line *line) {
  struct cursor_progress progress;

  cursor_progress_begin(&progress, cursor->epoch, cursor_line_id(cursor), clock_wall_ns());
  cursor_progress_pass(&progress, line->id, line->line.end, false);
  (void)cursor_advance(cursor, &progress, true);
}

/* Stored under the lock, made durable after it: the publisher's order. */
static int store_step(struct outbox *outbox, const struct outbox_line *line, bool durable) {
  struct agent_state state;
  struct error error = {0};
  bool same_log;
  int result =
      outbox_lock_state(outbox, clock_monotonic_ns() + LOCK_WAIT_NS, &state, &same_log, &error);

  if (result != OUTBOX_SEEN)
    return -1;
  step(&state.cursor, line);
  result = agent_state_store(outbox->agent_fd, &state, false, &error);
  agent_lock_release(&outbox->lock);
  if (result == 0 && durable)
    result = agent_state_sync(outbox->agent_fd, &error);
  return result;
}

static void walk(struct outbox *outbox, const char *agent, uint64_t from, unsigned most,
                 bool durable) {
  struct line_reader reader;
  struct outbox_line line;
  struct error error = {0};
  char id[UUID_TEXT_SIZE];

  outbox_read_from(outbox, from, &reader);
  while (most-- > 0 && outbox_next_marked(&reader, &line, &error) == 1) {
    uuid_unpack(line.id, id);
    say("acked %s %s", agent, id);
    if (store_step(outbox, &line, durable) != 0) {
      say("cursor-failed");
      break;
    }
  }
  line_reader_fini(&reader);
}

void scenario_age_clock(struct world *world, const char *agent) {
  struct project project;
  struct agent_state state;
  struct error error = {0};
  bool damaged;
  int agent_fd = -1;

  if (project_open(&project, world->root, true, true, &error) != 0)
    return;
  if (project_agent_folder(&project, agent, false, &agent_fd, &error) == 0 &&
      agent_state_load(agent_fd, &state, &damaged, &error) == 0) {
    state.retention.read_s = clock_wall_ns() / NS_PER_S - TWO_DAYS_S;
    state.retention.boot = 0; /* of a boot that is not known, and looks that agreed */
    state.retention.looks = RETENTION_CLOCK_SURE;
    (void)agent_state_store(agent_fd, &state, true, &error);
  }
  if (agent_fd >= 0)
    (void)close(agent_fd);
  project_close(&project);
}

void scenario_move_cursor(struct world *world, const char *agent, unsigned most) {
  bool durable = strcmp(world->fsync, "always") == 0, has_state;
  struct project project;
  struct outbox outbox = {0};
  struct agent_state state;
  struct error error = {0};

  if (project_open(&project, world->root, true, durable, &error) != 0) {
    say("cursor-failed %s", error.text);
    return;
  }
  if (outbox_open(&outbox, &project, agent, &error) == 0) {
    if (outbox_look(&outbox, clock_monotonic_ns() + LOCK_WAIT_NS, &state, &has_state, &error) ==
            OUTBOX_SEEN &&
        has_state)
      walk(&outbox, agent, state.cursor.end, most, durable);
    else
      say("cursor-failed %s", error.text);
    outbox_close(&outbox);
  }
  project_close(&project);
}
