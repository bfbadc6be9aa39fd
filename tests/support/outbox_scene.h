/* outbox_scene.h - agents whose marked lines and cursor a test puts there by itself.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_OUTBOX_SCENE_H
#define KAIZEN_TESTS_OUTBOX_SCENE_H

#include "sandbox.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "store/agent_log.h"
#include "store/agent_state.h"
#include "store/outbox_glance.h"
#include "store/project_identity.h"

static const char first_id[] = "00000000-0000-4000-8000-000000000001";
static const char second_id[] = "00000000-0000-4000-8000-000000000002";

struct outbox_scene {
  struct project project;
  unsigned char id[PROJECT_ID_SIZE];
  int metrics_fd;
};

SANDBOX_HELPER void scene_enter(struct outbox_scene *scene) {
  struct error error = {0};

  sandbox_enter();
  cr_assert_eq(project_open(&scene->project, sandbox.root, true, false, &error), 0, "%s",
               error.text);
  cr_assert_eq(project_metrics_folder(&scene->project, true, &scene->metrics_fd, &error), 0);
  cr_assert_eq(project_identity(&scene->project, scene->id, &error), 0);
}

SANDBOX_HELPER void scene_leave(struct outbox_scene *scene) {
  (void)close(scene->metrics_fd);
  project_close(&scene->project);
  sandbox_leave();
}

/* A marked line of a fixed length. */
SANDBOX_HELPER void scene_append(const struct outbox_scene *scene, const char *agent,
                                 const char *id) {
  char path[256], line[256];
  int len = snprintf(line, sizeof line,
                     "{\"timestamp\":\"2026-01-02T03:04:05Z\",\"agent\":\"%s\",\"success\":true,"
                     "\"event_id\":\"%s\",\"event\":{}}\n",
                     agent, id);
  int fd;

  (void)snprintf(path, sizeof path, "%s/" AGENT_LOG_FILE, agent);
  fd = openat(scene->metrics_fd, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  cr_assert_eq(write(fd, line, (size_t)len), len);
  (void)close(fd);
}

/* Its cursor stands after the line with this id, where that ended the log. */
SANDBOX_HELPER void scene_acknowledge(const struct outbox_scene *scene, const char *agent,
                                      const char *id) {
  struct cursor_progress progress;
  struct agent_state state = {0};
  struct outbox_glance glance;
  unsigned char packed[16];
  bool damaged;
  int fd;

  cr_assert_eq(project_agent_folder(&scene->project, agent, true, &fd, NULL), 0);
  if (agent_state_load(fd, &state, &damaged, NULL) != 0) {
    memcpy(state.project_id, scene->id, sizeof scene->id);
    cursor_begin(&state.cursor, clock_wall_ns());
  }
  cr_assert_eq(outbox_glance_take(scene->metrics_fd, agent, &glance), 0);
  cursor_progress_begin(&progress, state.cursor.epoch, cursor_line_id(&state.cursor),
                        clock_wall_ns());
  uuid_pack(id, packed);
  cursor_progress_pass(&progress, packed, glance.size, false);
  cr_assert_eq(cursor_advance(&state.cursor, &progress, true), 0);
  cr_assert_eq(agent_state_store(fd, &state, false, NULL), 0);
  (void)close(fd);
}

/* All that its log holds is acknowledged: one line. */
SANDBOX_HELPER void scene_make_at_rest(const struct outbox_scene *scene, const char *agent) {
  int fd;

  cr_assert_eq(project_agent_folder(&scene->project, agent, true, &fd, NULL), 0);
  (void)close(fd);
  scene_append(scene, agent, first_id);
  scene_acknowledge(scene, agent, first_id);
}

#endif
