/* outbox_glance.c - what can be seen of an agent's events without its lock.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/outbox_glance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/hash.h"
#include "record/agent_name.h"
#include "store/agent_log.h"
#include "store/outbox.h"

/* What changes about a file when it is written, replaced or removed; zeroed: there is none. */
struct face {
  uint64_t device, inode, size;
  int64_t modified_s, modified_ns;
};

/* 1 when there is one, 0 when not, -1. */
static int look_at(int metrics_fd, const char *agent, const char *file, struct face *face) {
  char path[AGENT_NAME_MAX + sizeof "/" AGENT_LOG_FILE];
  struct stat status;

  memset(face, 0, sizeof *face);
  (void)snprintf(path, sizeof path, "%s/%s", agent, file);
  if (fstatat(metrics_fd, path, &status, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? 0 : -1;
  *face = (struct face){.device = status.st_dev,
                        .inode = status.st_ino,
                        .size = (uint64_t)status.st_size,
                        .modified_s = status.st_mtim.tv_sec,
                        .modified_ns = status.st_mtim.tv_nsec};
  return 1;
}

static int64_t modified_ns(const struct face *face) {
  return clock_ns_of(face->modified_s, face->modified_ns);
}

int outbox_glance_take(int metrics_fd, const char *agent, struct outbox_glance *glance) {
  struct face faces[2]; /* log and .state */
  int has_log = look_at(metrics_fd, agent, AGENT_LOG_FILE, &faces[0]);
  int has_state = look_at(metrics_fd, agent, AGENT_STATE_FILE, &faces[1]);

  if (has_log < 0 || has_state < 0)
    return -1;
  *glance = (struct outbox_glance){.has_log = has_log,
                                   .has_state = has_state,
                                   .size = faces[0].size,
                                   .device = (dev_t)faces[0].device,
                                   .inode = (ino_t)faces[0].inode,
                                   .stamp = hash_bytes(faces, sizeof faces, 0),
                                   .modified_unix_ns = modified_ns(&faces[0])};
  if (modified_ns(&faces[1]) > glance->modified_unix_ns)
    glance->modified_unix_ns = modified_ns(&faces[1]);
  return 0;
}

int outbox_glance_state(const struct project *project, const char *agent,
                        struct agent_state *state) {
  bool damaged;
  int agent_fd, result = project_agent_folder(project, agent, false, &agent_fd, NULL);

  if (result != 0)
    return result;
  result = agent_state_load(agent_fd, state, &damaged, NULL);
  (void)close(agent_fd);
  return result;
}

bool outbox_glance_is_through(const struct project *project, const char *agent,
                              const struct outbox_glance *glance, const struct agent_state *state) {
  const struct cursor *cursor = &state->cursor;
  struct outbox outbox = {.committed_end = glance->size};
  bool through = false;

  if (cursor_check(cursor, NULL) != 0 || cursor->held_count > 0 || cursor->end != glance->size)
    return false;
  if (cursor->end == 0)
    return cursor->marked == 0;
  if (project_agent_folder(project, agent, false, &outbox.agent_fd, NULL) != 0)
    return false;
  /* another program may remove lines and leave a log that is as long as the cursor says */
  if (directory_open_file(outbox.agent_fd, AGENT_LOG_FILE, O_RDONLY, &outbox.log_fd, NULL) == 0) {
    through = outbox_line_ends_at(&outbox, cursor->end, cursor_line_id(cursor), NULL) == 0;
    (void)close(outbox.log_fd);
  }
  (void)close(outbox.agent_fd);
  return through;
}
