/* agent_scene.h - one agent, its log as a test wrote it, and what is folded of that.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_AGENT_SCENE_H
#define KAIZEN_TESTS_AGENT_SCENE_H

#include "project_sandbox.h"

#include <inttypes.h>
#include <kaizen/plugin.h>

#include "base/clock.h"
#include "store/agent.h"
#include "store/agent_fold.h"

#define GOOD "{\"timestamp\":\"2026-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":true}\n"
#define BAD "{\"timestamp\":\"2026-01-01T00:00:01Z\",\"agent\":\"coach\",\"success\":false}\n"
#define KEYED(key)                                                                                 \
  "{\"timestamp\":\"2026-01-01T00:00:02Z\",\"agent\":\"coach\",\"success\":true,"                  \
  "\"idempotency_key\":\"" key "\"}\n"

static struct agent agent;

SANDBOX_HELPER void set_up(void) {
  enter_project();
  agent_init(&agent, &project, "coach");
}

SANDBOX_HELPER void tear_down(void) {
  agent_close(&agent);
  leave_project();
}

SANDBOX_HELPER const char *file(void) {
  return agent_file("coach", AGENT_LOG_FILE);
}

SANDBOX_HELPER void put_log(const char *text) {
  make_agent_folder("coach");
  put_file(file(), text);
}

SANDBOX_HELPER int64_t in_ms(int64_t ms) {
  return clock_monotonic_ns() + ms * 1000000;
}

SANDBOX_HELPER int acquire(void) {
  error = (struct error){0};
  return agent_fold_acquire(&agent, in_ms(2000), &error);
}

/* Takes the agent and lets it go: fold and anchor then are up to date. */
SANDBOX_HELPER void look(void) {
  cr_assert_eq(acquire(), 0, "%s", error.text);
  cr_assert_eq(agent.anchor.end, size_of_file(file()));
  agent_release(&agent);
}

SANDBOX_HELPER void expect_fold(const char *name, uint64_t records, uint64_t successes,
                                uint64_t skipped) {
  cr_expect_eq(agent.fold.execution_count, records, "%s: %" PRIu64 " records", name,
               agent.fold.execution_count);
  cr_expect_eq(agent.fold.successes, successes, "%s: %" PRIu64 " successes", name,
               agent.fold.successes);
  cr_expect_eq(agent.fold.skipped_lines, skipped, "%s: %" PRIu64 " skipped", name,
               agent.fold.skipped_lines);
}

SANDBOX_HELPER int find(const char *key) {
  struct buffer line = {0};
  uint64_t offset;
  int found = agent_find_key(&agent, (struct span){key, strlen(key)}, &line, &offset, &error);

  buffer_fini(&line);
  return found;
}

SANDBOX_HELPER void put_many_lines(unsigned count) {
  FILE *out;

  make_agent_folder("coach");
  out = fopen(file(), "we");
  cr_assert(out);
  for (unsigned i = 0; i < count; i++)
    (void)fprintf(out, "{\"agent\":\"coach\",\"success\":true,\"idempotency_key\":\"k%u\"}\n", i);
  cr_assert_eq(fclose(out), 0);
}

/* In the pages of the keys, after the header. */
SANDBOX_HELPER void damage_keys(void) {
  char bytes[64];
  int fd = open(agent_file("coach", CHECKPOINT_FILE), O_WRONLY | O_CLOEXEC);

  memset(bytes, 0x5a, sizeof bytes);
  cr_assert_eq(pwrite(fd, bytes, sizeof bytes, KEY_PAGES_AT), (ssize_t)sizeof bytes);
  (void)close(fd);
}

#endif
