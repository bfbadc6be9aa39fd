/* agent_lock_scene.h - the lock of one agent, and others who hold it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_AGENT_LOCK_SCENE_H
#define KAIZEN_TESTS_AGENT_LOCK_SCENE_H

#include "legacy_lock.h"

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "store/agent_lock.h"

static int folder;
static struct agent_lock writer;
static struct error error;

SANDBOX_HELPER void set_up(void) {
  sandbox_enter();
  make_agent_folder("coach");
  folder = open(agent_file("coach", ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  cr_assert_eq(agent_lock_open(&writer, folder, &error), 0, "%s", error.text);
}

SANDBOX_HELPER void tear_down(void) {
  agent_lock_close(&writer);
  (void)close(folder);
  sandbox_leave();
}

SANDBOX_HELPER int64_t in_ms(int64_t ms) {
  return clock_monotonic_ns() + ms * INT64_C(1000000);
}

SANDBOX_HELPER int hold(const char *name, int operation) {
  int fd = open(agent_file("coach", name), O_RDWR | O_CLOEXEC);

  cr_assert_geq(fd, 0, "%s", strerror(errno));
  cr_assert_eq(flock(fd, operation), 0);
  return fd;
}

SANDBOX_HELPER bool is_free(const char *name) {
  int fd = open(agent_file("coach", name), O_RDWR | O_CLOEXEC);
  bool taken = flock(fd, LOCK_EX | LOCK_NB) == 0;

  (void)close(fd);
  return taken;
}

#endif
