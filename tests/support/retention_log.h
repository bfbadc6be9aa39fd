/* retention_log.h - a log to prune, and how far its events were sent.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_RETENTION_LOG_H
#define KAIZEN_TESTS_RETENTION_LOG_H

#include "legacy_lock.h"
#include "retention_world.h"

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "store/agent_fold.h"
#include "store/agent_state.h"
#include "store/project_identity.h"

#define OLD "{\"timestamp\":\"2025-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":false}\n"
#define NEW "{\"timestamp\":\"2025-12-31T00:00:00Z\",\"agent\":\"coach\",\"success\":true}\n"
#define MARKED(number)                                                                             \
  "{\"timestamp\":\"2025-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":true,\"event_id\":"     \
  "\"00000000-0000-4000-8000-00000000000" number "\",\"event\":{}}\n"
#define LETTER(number)                                                                             \
  "{\"event_id\":\"00000000-0000-4000-8000-00000000000" number "\",\"reason\":\"too large\"}\n"
#define TEN(line) line line line line line line line line line line

/* The looks of the days before agree with what is said today. */
SANDBOX_HELPER int prune(void) {
  cr_assert_eq(look_at(TODAY_S - 2 * DAY_S), 0, "%s", error.text);
  cr_assert_eq(look_at(TODAY_S - DAY_S), 0, "%s", error.text);
  return look_at(TODAY_S);
}

SANDBOX_HELPER void with_agent(void (*change)(struct agent *agent, struct agent_state *state)) {
  unsigned char id[PROJECT_ID_SIZE];
  struct agent_state state;
  struct agent agent;
  bool changed;

  agent_init(&agent, &project, "coach");
  cr_assert_eq(agent_fold_acquire(&agent, clock_monotonic_ns() + INT64_C(2000000000), &error), 0);
  cr_assert_eq(project_identity(&project, id, &error), 0, "%s", error.text);
  cr_assert_eq(agent_state_claim(agent.fd, id, &agent.fold, false, &state, &changed, &error), 0);
  change(&agent, &state);
  cr_assert_eq(agent_state_store(agent.fd, &state, false, &error), 0);
  agent_release(&agent);
  agent_close(&agent);
}

SANDBOX_HELPER void pass(struct cursor_progress *progress, const char *id_text, bool refused) {
  unsigned char id[16];

  uuid_pack(id_text, id);
  cursor_progress_pass(progress, id, 0, refused); /* the offset is a hint, the id decides */
}

/* Where a publisher begins in a log whose events are all to be sent. */
SANDBOX_HELPER void begin(struct cursor *cursor, struct cursor_progress *progress) {
  cursor_begin(cursor, clock_wall_ns());
  cursor_progress_begin(progress, cursor->epoch, cursor_line_id(cursor), clock_wall_ns());
}

/* As the publisher would after an acknowledgement of the second marked line. */
SANDBOX_HELPER void acknowledge_two(struct agent *agent, struct agent_state *state) {
  struct cursor_progress progress;

  (void)agent;
  begin(&state->cursor, &progress);
  pass(&progress, "00000000-0000-4000-8000-000000000001", false);
  pass(&progress, "00000000-0000-4000-8000-000000000002", false);
  cr_assert_eq(cursor_advance(&state->cursor, &progress, false), 0);
}

/* As after five events, of which the second, fourth and fifth became dead letters. */
SANDBOX_HELPER void refuse_three_of_five(struct agent *agent, struct agent_state *state) {
  struct cursor_progress progress;

  (void)agent;
  begin(&state->cursor, &progress);
  pass(&progress, "00000000-0000-4000-8000-000000000001", false);
  pass(&progress, "00000000-0000-4000-8000-000000000002", true);
  pass(&progress, "00000000-0000-4000-8000-000000000003", false);
  pass(&progress, "00000000-0000-4000-8000-000000000004", true);
  pass(&progress, "00000000-0000-4000-8000-000000000005", true);
  cr_assert_eq(cursor_advance(&state->cursor, &progress, false), 0);
}

SANDBOX_HELPER void expect_one_dead_letter(struct agent *agent, struct agent_state *state) {
  (void)agent;
  cr_assert_eq(state->cursor.marked, 1);
  cr_assert_eq(state->cursor.dead_lettered, 1);
}

#endif
