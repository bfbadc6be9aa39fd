/* commit.c - one batch of an agent's records, under its lock.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder/commit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kaizen/plugin.h>

#include "base/hash.h"
#include "record/record.h"
#include "store/agent_state.h"

void commit_fini(struct commit *commit) {
  buffer_fini(&commit->lines);
  buffer_fini(&commit->scratch);
  free(commit->offsets);
  free(commit->seen);
  commit->offsets = NULL;
  commit->seen = NULL;
  commit->room = 0;
}

static void send_message(const struct commit *commit, const struct agent *agent, int32_t level,
                         int32_t id, const char *text) {
  char message[ERROR_TEXT_MAX + EXECUTION_AGENT_MAX + 8];

  (void)snprintf(message, sizeof message, "%s: %s", agent->name, text);
  commit->options->messages.send(commit->options->messages.ctx, level, id, message);
}

static size_t slots_for(size_t count) {
  size_t slots = 4;

  while (slots < 2 * count)
    slots *= 2;
  return slots;
}

static int make_room(struct commit *commit, struct error *error) {
  size_t slots = slots_for(commit->count);

  if (commit->count > commit->room) {
    free(commit->offsets);
    free(commit->seen);
    commit->room = 0;
    commit->offsets = malloc(commit->count * sizeof *commit->offsets);
    commit->seen = malloc(slots * sizeof *commit->seen);
    if (!commit->offsets || !commit->seen)
      return error_set(error, KAIZEN_E_NOMEM, "out of memory");
    commit->room = commit->count;
  }
  memset(commit->seen, 0, slots * sizeof *commit->seen);
  return 0;
}

/* The request of this batch that brings the same key; NULL when there is none, and `i` then stands
 * for it. */
static struct recorder_request *seen_in_batch(struct commit *commit, size_t i) {
  struct span key = buffer_span(&commit->requests[i]->execution->key);
  size_t slots = slots_for(commit->count);
  size_t at = (size_t)hash_bytes(key.ptr, key.len, 0) & (slots - 1);

  for (; commit->seen[at] != 0; at = (at + 1) & (slots - 1)) {
    struct recorder_request *other = commit->requests[commit->seen[at] - 1];

    if (span_equal(buffer_span(&other->execution->key), key))
      return other;
  }
  commit->seen[at] = i + 1;
  return NULL;
}

static bool says_something_else(const struct execution *execution, bool success, bool has_quality,
                                double quality_score, bool has_time, double execution_time_s) {
  return execution->success != success || execution->has_quality != has_quality ||
         execution->has_time != has_time ||
         (has_quality && execution->quality_score != quality_score) ||
         (has_time && execution->execution_time_s != execution_time_s);
}

static void answer_duplicate_of_line(struct recorder_request *request, struct span line) {
  struct record first;

  request->code = KAIZEN_DUPLICATE;
  request->marked = false;
  if (record_read(line, &first, NULL) != RECORD_OK)
    return;
  request->key_conflict =
      says_something_else(request->execution, first.success, first.has_quality, first.quality_score,
                          first.has_time, first.execution_time_s);
  request->marked = first.marked;
  memcpy(request->event_id, first.event_id, sizeof request->event_id);
}

static void answer_duplicate_of_request(struct recorder_request *request,
                                        const struct recorder_request *first) {
  const struct execution *execution = first->execution;

  request->key_conflict = says_something_else(request->execution, execution->success,
                                              execution->has_quality, execution->quality_score,
                                              execution->has_time, execution->execution_time_s);
  request->marked = first->marked;
  memcpy(request->event_id, first->event_id, sizeof request->event_id);
}

static void fold_execution(struct fold *fold, const struct execution *execution,
                           const char *event_id, uint64_t end) {
  struct record record = {
      .timestamp_s = execution->timestamp_s,
      .quality_score = execution->quality_score,
      .execution_time_s = execution->execution_time_s,
      .success = execution->success,
      .has_quality = execution->has_quality,
      .has_time = execution->has_time,
      .marked = event_id != NULL,
  };

  if (event_id)
    memcpy(record.event_id, event_id, sizeof record.event_id);
  fold_add(fold, &record, end);
}

/* The line is made here, under the lock, because a marked one carries the summary after itself. */
static void add_line(struct commit *commit, const struct agent *agent, size_t i) {
  struct recorder_request *request = commit->requests[i];
  const char *event_id = request->marked ? request->event_id : NULL;
  struct event_numbers numbers;
  struct span slug = {commit->options->slug, strlen(commit->options->slug)};

  commit->offsets[i] = commit->lines.len;
  fold_execution(&commit->next, request->execution, event_id, 0);
  numbers = (struct event_numbers){.success_rate = summary_success_rate(&commit->next),
                                   .avg_quality = summary_average_quality(&commit->next),
                                   .execution_count = commit->next.execution_count};
  execution_append_line(request->execution, event_id, slug, &numbers, &commit->lines);
  if (event_id) {
    commit->next.last_marked_end = agent->anchor.end + commit->lines.len;
    commit->marks = true;
  }
}

/* DUPLICATE vouches for a line that a killed process may have left unsynced (invariants, schedule
 * 10). */
static int vouch_for(struct commit *commit, struct agent *agent, uint64_t offset,
                     struct error *error) {
  struct span line = buffer_span(&commit->scratch);

  if (!commit->options->sync ||
      (agent->path_synced && agent_log_is_synced(&agent->log, offset, line.len + 1)))
    return 0;
  commit->durable_needed = true;
  return agent_log_prepare_sync(&agent->log, offset, line, error);
}

static int plan_request(struct commit *commit, struct agent *agent, size_t i, struct error *error) {
  struct recorder_request *request = commit->requests[i];
  struct span key = buffer_span(&request->execution->key);
  const struct recorder_request *first;
  uint64_t offset;
  int found;

  commit->offsets[i] = COMMIT_NOT_NEW;
  request->code = KAIZEN_RECORDED;
  if (key.len > 0) {
    found = agent_find_key(agent, key, &commit->scratch, &offset, error);
    if (found < 0)
      return -1;
    if (found == 1) {
      answer_duplicate_of_line(request, buffer_span(&commit->scratch));
      return vouch_for(commit, agent, offset, error);
    }
    first = seen_in_batch(commit, i);
    if (first) {
      request->code = KAIZEN_DUPLICATE;
      answer_duplicate_of_request(request, first);
      return 0;
    }
  }
  add_line(commit, agent, i);
  return 0;
}

/* The .state must exist, and belong to this tree, before the first marked line does: without it the
 * line would be taken for one of a copied tree, and held. */
static int claim_state(const struct commit *commit, struct agent *agent, struct error *error) {
  unsigned char id[PROJECT_ID_SIZE];
  struct agent_state state;
  bool changed;

  if (!commit->marks || agent->state_claimed)
    return 0;
  if (project_identity(agent->project, id, error) != 0 ||
      agent_state_claim(agent->fd, id, &agent->fold, commit->options->sync, &state, &changed,
                        error) != 0)
    return -1;
  agent->state_claimed = true;
  return 0;
}

static int write_lines(struct commit *commit, struct agent *agent, struct error *error) {
  enum agent_log_outcome outcome;
  uint64_t size = agent->anchor.end;
  struct span lines = buffer_span(&commit->lines);
  size_t last = commit->lines.len - 1;

  /* what can fail without leaving a line behind comes first */
  if (claim_state(commit, agent, error) != 0 ||
      (commit->options->sync && agent_sync_path(agent, error) != 0))
    return -1;
  if (agent_log_append(&agent->log, lines, size, &outcome, error) != 0)
    return -1;
  if (commit->options->sync && agent_log_sync(&agent->log, size + lines.len, error) != 0)
    return -1;
  if (outcome == AGENT_LOG_DISPLACED) {
    send_message(commit, agent, KAIZEN_LOG_WARNING, MESSAGE_FOREIGN_BYTES,
                 "another program appended without taking the lock");
    return 1;
  }
  while (last > 0 && lines.ptr[last - 1] != '\n')
    last--;
  agent->anchor = (struct log_anchor){
      .end = size + lines.len,
      .offset = size + last,
      .hash = agent_log_anchor_hash((struct span){lines.ptr + last, lines.len - last}),
      .inode = agent->log.inode,
  };
  return 0;
}

/* The new keys, once their lines are committed.  A failure costs the checkpoint, not a record: it
 * is taken up again from its last stored state. */
static int add_keys(struct commit *commit, struct agent *agent, uint64_t start,
                    struct error *error) {
  size_t i;

  for (i = 0; i < commit->count; i++) {
    const struct buffer *key = &commit->requests[i]->execution->key;

    if (commit->offsets[i] == COMMIT_NOT_NEW)
      continue;
    agent->unstored++;
    if (key->len > 0 &&
        agent_add_key(agent, buffer_span(key), start + commit->offsets[i], error) != 0)
      return -1;
  }
  return 0;
}

void commit_refresh_summary(struct commit *commit, struct agent *agent) {
  struct error error = {0};
  struct summary summary;

  commit->starved = false;
  if (!agent->summary_stale)
    return;
  summary_of(&agent->fold, commit->options->trend_window, &summary);
  buffer_clear(&commit->scratch);
  summary_append_json(&summary, &commit->scratch);
  if (commit->scratch.failed)
    (void)error_set(&error, KAIZEN_E_NOMEM, "out of memory");
  agent->summary_stale = commit->scratch.failed ||
                         summary_replace(agent->fd, buffer_span(&commit->scratch), &error) != 0;
  commit->starved = error.os_error == EMFILE || error.os_error == ENFILE;
  if (agent->summary_stale && !commit->starved)
    send_message(commit, agent, KAIZEN_LOG_WARNING, MESSAGE_SUMMARY_NOT_WRITTEN, error.text);
}

/* The lines are in the log; everything else follows from them. */
static void derive(struct commit *commit, struct agent *agent, uint64_t start, bool displaced) {
  struct error error = {0};
  int result;

  if (displaced) {
    result = agent_refresh(agent, &error);
  } else {
    agent->fold = commit->next;
    agent->summary_stale = true;
    result = add_keys(commit, agent, start, &error);
  }
  if (result == 0)
    result = checkpoint_flush(&agent->checkpoint, &error);
  commit_refresh_summary(commit, agent);
  if (result == 0) {
    agent_store_checkpoint(agent, false);
  } else {
    checkpoint_close(&agent->checkpoint);
    agent->loaded = false;
  }
}

/* All of them: one whose key is in the log finds it there when it is given again. */
static void fail_all(struct commit *commit, const struct error *error) {
  size_t i;

  for (i = 0; i < commit->count; i++)
    commit->requests[i]->code = error->code;
}

/* Without a line to append nothing else would sync. */
static int sync_for_duplicates(struct commit *commit, struct agent *agent, struct error *error) {
  if (!commit->durable_needed || commit->lines.len > 0)
    return 0;
  agent->log.piece_count = 0;
  if (agent_log_sync(&agent->log, agent->anchor.end, error) != 0)
    return -1;
  return agent_sync_path(agent, error);
}

static size_t count_keys(const struct commit *commit) {
  size_t i, keys = 0;

  for (i = 0; i < commit->count; i++)
    keys += commit->requests[i]->execution->key.len > 0;
  return keys;
}

/* What each request comes to, and the lines of the new ones.  Nothing is written yet. */
static int plan(struct commit *commit, struct agent *agent, struct error *error) {
  int result = make_room(commit, error);
  size_t i;

  buffer_clear(&commit->lines);
  checkpoint_keep(&agent->checkpoint, count_keys(commit));
  commit->next = agent->fold;
  commit->marks = commit->durable_needed = false;
  for (i = 0; result == 0 && i < commit->count; i++)
    result = plan_request(commit, agent, i, error);
  if (result == 0 && commit->lines.failed)
    result = error_set(error, KAIZEN_E_NOMEM, "out of memory");
  return result;
}

/* That the checkpoint is damaged shows at a look-up: it is made anew from the log. */
static int plan_again(struct commit *commit, struct agent *agent, struct error *error) {
  int result;

  *error = (struct error){0};
  result = agent_refresh(agent, error);
  if (result == 1)
    return error_set(error, KAIZEN_E_BUSY, "its files were replaced meanwhile");
  return result == 0 ? plan(commit, agent, error) : -1;
}

void commit_batch(struct commit *commit, struct agent *agent, struct error *error) {
  uint64_t start;
  int result = plan(commit, agent, error);

  if (result != 0 && !agent->loaded)
    result = plan_again(commit, agent, error);
  start = agent->anchor.end;
  if (result == 0)
    result = sync_for_duplicates(commit, agent, error);
  if (result == 0 && commit->lines.len > 0) {
    result = write_lines(commit, agent, error);
    if (result >= 0)
      derive(commit, agent, start, result == 1);
  } else if (result == 0) {
    commit_refresh_summary(commit, agent);
  }
  if (result < 0)
    fail_all(commit, error);
  (void)checkpoint_flush(&agent->checkpoint, NULL); /* nothing is left to write */
}
