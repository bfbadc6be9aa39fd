/* salvage.c - the repair of an agent's folder: bad lines are saved and removed, the rest follows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "common/timestamp.h"
#include "store/agent.h"
#include "store/agent_fold.h"
#include "store/agent_state.h"
#include "store/cursor_repair.h"
#include "store/rewrite.h"
#include "store/summary.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

struct repair {
  struct agent agent;
  char *saved_to; /* the salvage file's name */
  int salvage_fd;
  uint64_t salvaged;
};

/* The bytes go to the salvage file before the log loses them. */
static int leave_out_bad_line(void *ctx, const struct line *line, const struct record *record,
                              struct error *error) {
  struct repair *repair = ctx;
  char bytes[4096];
  uint64_t at;

  if (record ||
      (!line->too_long && record_read(line->text, &(struct record){0}, NULL) != RECORD_GARBAGE))
    return 0;
  for (at = line->offset; at < line->end;) {
    size_t len = line->end - at < sizeof bytes ? (size_t)(line->end - at) : sizeof bytes, got;

    if (directory_read_at(repair->agent.log.fd, bytes, len, at, &got, error) != 0 || got == 0)
      return -1;
    if (directory_write_at(repair->salvage_fd, bytes, got, repair->salvaged, error) != 0)
      return -1;
    repair->salvaged += got;
    at += got;
  }
  return 1;
}

static int open_salvage(struct repair *repair, struct error *error) {
  char timestamp[TIMESTAMP_TEXT_SIZE], *name = repair->saved_to;
  int fd, result, tries;

  timestamp_format(clock_wall_ns() / NS_PER_S, timestamp);
  for (tries = 0; tries < 100; tries++) {
    (void)snprintf(name, 64, ".salvage-%s-%d.jsonl", timestamp, tries);
    result = directory_open_file(repair->agent.fd, name, O_RDONLY, &fd, NULL);
    if (result == 1)
      return directory_open_file(repair->agent.fd, name, O_WRONLY | O_CREAT | O_EXCL,
                                 &repair->salvage_fd, error);
    if (result == 0)
      (void)close(fd);
  }
  return error_set(error, KAIZEN_E_IO,
                   "%s: there are already a hundred salvage files of this second", name);
}

/* The bad lines are on disk before they leave the log. */
static int sync_salvage(void *ctx, uint64_t new_size, struct error *error) {
  struct repair *repair = ctx;

  (void)new_size;
  if (fsync(repair->salvage_fd) != 0 || fsync(repair->agent.fd) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, "%s: cannot sync", repair->saved_to);
  return 0;
}

/* Lock held. */
static int take_out_bad_lines(struct repair *repair, bool sync, struct error *error) {
  struct agent *agent = &repair->agent;
  struct rewrite rewrite = {.agent = agent,
                            .sync = sync,
                            .leave_out = leave_out_bad_line,
                            .copied_up_to = sync_salvage,
                            .ctx = repair};
  bool damaged;
  int result = agent_state_load(agent->fd, &rewrite.state, &damaged, error);

  if (result < 0)
    return -1;
  rewrite.has_state = result == 0;
  if (!rewrite.has_state)
    memset(&rewrite.state, 0, sizeof rewrite.state);
  if (open_salvage(repair, error) != 0)
    return -1;
  result = rewrite_begin(&rewrite, error);
  if (result == 0)
    result = rewrite_replace(&rewrite, error);
  rewrite_end(&rewrite);
  (void)close(repair->salvage_fd);
  return result;
}

static int replace_summary(struct agent *agent, unsigned trend_window, struct error *error) {
  struct buffer text = {0};
  struct summary summary;
  int result;

  summary_of(&agent->fold, trend_window, &summary);
  summary_append_json(&summary, &text);
  result = text.failed
               ? error_set(error, KAIZEN_E_NOMEM, "out of memory")
               : summary_replace(agent->fd, agent->project->of_group, buffer_span(&text), error);
  buffer_fini(&text);
  return result;
}

static int acquire(struct agent *agent, int64_t lock_timeout_ms, struct error *error) {
  int result = agent_fold_acquire(agent, clock_monotonic_ns() + lock_timeout_ms * NS_PER_MS, error);

  return result == 1 ? error_set(error, KAIZEN_E_BUSY, "the agent's lock was not free") : result;
}

/* Folds the whole log again: the checkpoint is derived, and may be wrong in a way that no checksum
 * shows.
 */
static int acquire_anew(struct agent *agent, int64_t lock_timeout_ms, struct error *error) {
  int result = acquire(agent, lock_timeout_ms, error);

  if (result != 0)
    return -1;
  if (checkpoint_remove(agent->fd) != 0)
    result =
        error_set_errno(error, KAIZEN_E_IO, errno, CHECKPOINT_FILE ": cannot sync its removal");
  agent_release(agent);
  agent_close(agent);
  return result == 0 ? acquire(agent, lock_timeout_ms, error) : result;
}

int salvage_agent(const struct project *project, const char *agent, unsigned trend_window,
                  int64_t lock_timeout_ms, bool sync, struct salvage_result *done,
                  struct error *error) {
  struct repair repair = {.saved_to = done->saved_to, .salvage_fd = -1};
  int result;

  *done = (struct salvage_result){.held_back = 0};
  agent_init(&repair.agent, project, agent);
  /* first: once the log is another file, less is known of where its lines were */
  result = cursor_repair_agent(project, agent, lock_timeout_ms, sync, &done->held_back, error);
  if (result == 0)
    result = acquire_anew(&repair.agent, lock_timeout_ms, error);
  if (result == 0 && repair.agent.fold.skipped_lines > 0) {
    result = take_out_bad_lines(&repair, sync, error);
    agent_release(&repair.agent);
    if (result == 0)
      result = acquire(&repair.agent, lock_timeout_ms, error);
  }
  if (result == 0) {
    result = replace_summary(&repair.agent, trend_window, error);
    agent_store_checkpoint(&repair.agent, true);
    agent_release(&repair.agent);
  }
  agent_settle(&repair.agent);
  agent_close(&repair.agent);
  return result;
}
