/* test_project_agents.c - of many agents the publisher keeps in its table those that have something
 * to send.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "outbox_scene.h"

#include <pthread.h>

#include "publisher/project_agents.h"
#include "store/outbox_glance.h"

enum { MANY = 1000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct outbox_scene scene;
static struct site site = {.mutex = &mutex};
static struct project_agents agents;
static int metrics_fd;

static void enter(void) {
  scene_enter(&scene);
  site.project = scene.project;
  memcpy(site.id, scene.id, sizeof site.id);
  metrics_fd = scene.metrics_fd;
  project_agents_init(&agents, &site);
}

static void leave(void) {
  for (const struct publisher_agent *agent = agents.table.first; agent; agent = agent->next)
    cr_assert_null(agent->progress);
  project_agents_forget(&agents, NULL);
  scene_leave(&scene);
}

TestSuite(project_agents, .init = enter, .fini = leave);

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
    scene_make_at_rest(&scene, name);
  }
  scene_append(&scene, "agent-500", second_id);
  look_at_all();
  cr_assert_eq(agents.table.count, 1);
  cr_assert(is_in_table("agent-500"));
  cr_assert_eq(agents.rest.names.count, MANY - 1);
}

Test(project_agents, an_agent_at_rest_is_found_again_when_its_log_grew_without_a_ring) {
  scene_make_at_rest(&scene, "coach");
  scene_make_at_rest(&scene, "judge");
  look_at_all();
  cr_assert_eq(agents.table.count, 0);
  scene_append(&scene, "coach", second_id);
  look_at_all();
  cr_assert(is_in_table("coach"));
  cr_assert_not(is_in_table("judge"));
}

Test(project_agents, an_agent_at_rest_is_found_again_when_its_cursor_was_moved_back) {
  const struct cursor_target beginning = {0};
  struct agent_state state;
  bool damaged;
  int fd;

  scene_make_at_rest(&scene, "coach");
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
  scene_make_at_rest(&scene, "coach");
  cr_assert_eq(unlinkat(metrics_fd, "coach/" AGENT_LOG_FILE, 0), 0);
  scene_append(&scene, "coach", second_id);
  look_at_all();
  cr_assert(is_in_table("coach"));
}

Test(project_agents, one_that_rings_is_read_whatever_is_known_of_it) {
  scene_make_at_rest(&scene, "coach");
  look_at_all();
  project_agents_look_at(&agents, "coach", true);
  cr_assert(agent_table_find(&agents.table, "coach")->look);
}

Test(project_agents, one_with_nothing_more_to_send_goes_to_rest) {
  scene_make_at_rest(&scene, "coach");
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
