/* test_project_agents.c - of many agents the publisher keeps in its table those that have something
 * to send.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "publisher/project_agents.h"
#include "store/agent_log.h"
#include "store/outbox_glance.h"
#include "store/project_identity.h"

enum { MANY = 1000 };
static const char first_id[] = "00000000-0000-4000-8000-000000000001";
static const char second_id[] = "00000000-0000-4000-8000-000000000002";

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct site site = {.mutex = &mutex};
static struct project_agents agents;
static int metrics_fd;

static void enter(void) {
  struct error error = {0};

  sandbox_enter();
  cr_assert_eq(project_open(&site.project, sandbox.root, true, false, &error), 0, "%s", error.text);
  cr_assert_eq(project_metrics_folder(&site.project, true, &metrics_fd, &error), 0);
  cr_assert_eq(project_identity(&site.project, site.id, &error), 0);
  project_agents_init(&agents, &site);
}

static void leave(void) {
  for (const struct publisher_agent *agent = agents.table.first; agent; agent = agent->next)
    cr_assert_null(agent->progress);
  project_agents_forget(&agents, NULL);
  (void)close(metrics_fd);
  project_close(&site.project);
  sandbox_leave();
}

TestSuite(project_agents, .init = enter, .fini = leave);

/* A marked line of a fixed length. */
static void append(const char *agent, const char *id) {
  char path[256], line[256];
  int len = snprintf(line, sizeof line,
                     "{\"timestamp\":\"2026-01-02T03:04:05Z\",\"agent\":\"%s\",\"success\":true,"
                     "\"event_id\":\"%s\",\"event\":{}}\n",
                     agent, id);
  int fd;

  (void)snprintf(path, sizeof path, "%s/" AGENT_LOG_FILE, agent);
  fd = openat(metrics_fd, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  cr_assert_eq(write(fd, line, (size_t)len), len);
  (void)close(fd);
}

/* Its cursor stands after the line with this id, where that ended the log. */
static void acknowledge(const char *agent, const char *id) {
  struct cursor_progress progress;
  struct agent_state state = {0};
  struct outbox_glance glance;
  unsigned char packed[16];
  bool damaged;
  int fd;

  cr_assert_eq(project_agent_folder(&site.project, agent, true, &fd, NULL), 0);
  if (agent_state_load(fd, &state, &damaged, NULL) != 0) {
    memcpy(state.project_id, site.id, sizeof site.id);
    cursor_begin(&state.cursor, clock_wall_ns());
  }
  cr_assert_eq(outbox_glance_take(metrics_fd, agent, &glance), 0);
  cursor_progress_begin(&progress, state.cursor.epoch, cursor_line_id(&state.cursor),
                        clock_wall_ns());
  uuid_pack(id, packed);
  cursor_progress_pass(&progress, packed, glance.size, false);
  cr_assert_eq(cursor_advance(&state.cursor, &progress, true), 0);
  cr_assert_eq(agent_state_store(fd, &state, false, NULL), 0);
  (void)close(fd);
}

static void make_at_rest(const char *agent) {
  int fd;

  cr_assert_eq(project_agent_folder(&site.project, agent, true, &fd, NULL), 0);
  (void)close(fd);
  append(agent, first_id);
  acknowledge(agent, first_id);
}

static void look_at_all(void) {
  project_agents_scan(&agents);
  while (project_agents_scans(&agents))
    (void)project_agents_scan_on(&agents, metrics_fd, clock_monotonic_ns());
}

static bool is_in_table(const char *agent) {
  return agent_table_find(&agents.table, agent) != NULL;
}

Test(project_agents, of_many_those_at_rest_stay_out_of_the_table) {
  char name[32];

  for (int i = 0; i < MANY; i++) {
    (void)snprintf(name, sizeof name, "agent-%d", i);
    make_at_rest(name);
  }
  append("agent-500", second_id);
  look_at_all();
  cr_assert_eq(agents.table.count, 1);
  cr_assert(is_in_table("agent-500"));
  cr_assert_eq(agents.rest.count, MANY - 1);
}

Test(project_agents, an_agent_at_rest_is_found_again_when_its_log_grew_without_a_ring) {
  make_at_rest("coach");
  make_at_rest("judge");
  look_at_all();
  cr_assert_eq(agents.table.count, 0);
  append("coach", second_id);
  look_at_all();
  cr_assert(is_in_table("coach"));
  cr_assert_not(is_in_table("judge"));
}

Test(project_agents, an_agent_at_rest_is_found_again_when_its_cursor_was_moved_back) {
  const struct cursor_target beginning = {0};
  struct agent_state state;
  bool damaged;
  int fd;

  make_at_rest("coach");
  look_at_all();
  cr_assert_eq(agents.table.count, 0);
  cr_assert_eq(project_agent_folder(&site.project, "coach", false, &fd, NULL), 0);
  cr_assert_eq(agent_state_load(fd, &state, &damaged, NULL), 0);
  cr_assert_eq(cursor_move_back(&state.cursor, &beginning, clock_wall_ns()), 0);
  cr_assert_eq(agent_state_store(fd, &state, false, NULL), 0);
  (void)close(fd);
  look_at_all();
  cr_assert(is_in_table("coach"));
}

/* Another program took acknowledged lines out, and left a log just as long as the cursor says. */
Test(project_agents, a_log_that_ends_where_the_cursor_stands_with_another_line_is_looked_at) {
  make_at_rest("coach");
  cr_assert_eq(unlinkat(metrics_fd, "coach/" AGENT_LOG_FILE, 0), 0);
  append("coach", second_id);
  look_at_all();
  cr_assert(is_in_table("coach"));
}

Test(project_agents, one_that_rings_is_read_whatever_is_known_of_it) {
  make_at_rest("coach");
  look_at_all();
  project_agents_look_at(&agents, "coach", true);
  cr_assert(agent_table_find(&agents.table, "coach")->look);
}

Test(project_agents, one_with_nothing_more_to_send_goes_to_rest) {
  make_at_rest("coach");
  project_agents_look_at(&agents, "coach", true);
  agent_table_find(&agents.table, "coach")->look = false;
  project_agents_tend(&agents, metrics_fd, clock_monotonic_ns());
  cr_assert_eq(agents.table.count, 0);
}

Test(project_agents, the_table_finds_and_turns_whoever_is_in_it) {
  struct publisher_agent *agent;
  char name[32];

  for (int i = 0; i < MANY; i++) {
    (void)snprintf(name, sizeof name, "agent-%d", i);
    agent = publisher_agent_new(&site, name);
    cr_assert_eq(agent_table_add(&agents.table, agent), 0);
  }
  for (int i = 0; i < MANY; i += 2) {
    (void)snprintf(name, sizeof name, "agent-%d", i);
    agent = agent_table_find(&agents.table, name);
    agent_table_remove(&agents.table, agent);
    publisher_agent_free(agent, NULL);
    cr_assert_not(is_in_table(name));
  }
  cr_assert_eq(agents.table.count, MANY / 2);
  for (int i = 1; i < MANY; i += 2) {
    (void)snprintf(name, sizeof name, "agent-%d", i);
    cr_assert_str_eq(agents.table.first->name, name);
    cr_assert_eq(agent_table_find(&agents.table, name), agents.table.first);
    agent_table_rotate(&agents.table);
  }
  cr_assert_str_eq(agents.table.first->name, "agent-1");
}
