/* line_batch.c - requests that become lines of one agent's log together.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder/line_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kaizen/plugin.h>

#include "base/hash.h"
#include "record/record.h"
#include "recorder/host_message.h"
#include "store/agent_fold.h"
#include "store/agent_state.h"
#include "store/project_identity.h"
#include "store/summary.h"

void line_batch_init(struct line_batch *batch, const struct recorder_options *options) {
  *batch = (struct line_batch){.options = options};
}

static void free_room(struct line_batch *batch) {
  free(batch->requests);
  free(batch->offsets);
  free(batch->seen);
  batch->requests = NULL;
  batch->offsets = NULL;
  batch->seen = NULL;
  batch->room = 0;
}

void line_batch_fini(struct line_batch *batch) {
  buffer_fini(&batch->lines);
  buffer_fini(&batch->scratch);
  free_room(batch);
}

static size_t slots_for(size_t count) {
  size_t slots = 4;

  while (slots < 2 * count)
    slots *= 2;
  return slots;
}

void line_batch_begin(struct line_batch *batch, size_t count) {
  batch->count = 0;
  if (count <= batch->room)
    return;
  free_room(batch);
  batch->requests = malloc(count * sizeof(struct recorder_request *));
  batch->offsets = malloc(count * sizeof *batch->offsets);
  batch->seen = malloc(slots_for(count) * sizeof *batch->seen);
  if (batch->requests && batch->offsets && batch->seen)
    batch->room = count;
}

void line_batch_add(struct line_batch *batch, struct recorder_request *requests, size_t count) {
  size_t i;

  for (i = 0; i < count && batch->room > 0; i++)
    batch->requests[batch->count++] = &requests[i];
}

/* ---- the keys and the lines ------------------------------------------------------------------ */

/* The request of this batch with the same key; NULL when there is none, and `i` is then the one
 * with it. */
static struct recorder_request *seen_in_batch(struct line_batch *batch, size_t i) {
  struct span key = buffer_span(&batch->requests[i]->execution->key);
  size_t slots = slots_for(batch->count);
  size_t at = (size_t)hash_bytes(key.ptr, key.len, 0) & (slots - 1);

  for (; batch->seen[at] != 0; at = (at + 1) & (slots - 1)) {
    struct recorder_request *other = batch->requests[batch->seen[at] - 1];

    if (span_equal(buffer_span(&other->execution->key), key))
      return other;
  }
  batch->seen[at] = i + 1;
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

/* The line is made here, under the lock, because a marked line carries the summary that includes
 * it. */
static void add_line(struct line_batch *batch, const struct agent *agent, size_t i) {
  struct recorder_request *request = batch->requests[i];
  const char *event_id = request->marked ? request->event_id : NULL;
  struct event_numbers numbers;
  struct span slug = {batch->options->slug, strlen(batch->options->slug)};

  batch->offsets[i] = batch->lines.len;
  fold_execution(&batch->next, request->execution, event_id, 0);
  numbers = (struct event_numbers){.success_rate = summary_success_rate(&batch->next),
                                   .avg_quality = summary_average_quality(&batch->next),
                                   .execution_count = batch->next.execution_count};
  execution_append_line(request->execution, event_id, slug, &numbers, &batch->lines);
  if (event_id) {
    batch->next.last_marked_end = agent->anchor.end + batch->lines.len;
    batch->marks = true;
  }
}

/* DUPLICATE promises a line that a killed process may have left unsynced (docs/format.md). */
static int vouch_for(struct line_batch *batch, struct agent *agent, uint64_t offset,
                     struct error *error) {
  struct span line = buffer_span(&batch->scratch);

  if (!batch->options->sync ||
      (agent->path_synced && agent_log_is_synced(&agent->log, offset, line.len + 1)))
    return 0;
  batch->durable_needed = true;
  return agent_log_prepare_sync(&agent->log, offset, line, error);
}

static int plan_request(struct line_batch *batch, struct agent *agent, size_t i,
                        struct error *error) {
  struct recorder_request *request = batch->requests[i];
  struct span key = buffer_span(&request->execution->key);
  const struct recorder_request *first;
  uint64_t offset;
  int found;

  batch->offsets[i] = LINE_BATCH_NOT_NEW;
  request->code = KAIZEN_RECORDED;
  if (key.len > 0) {
    found = agent_find_key(agent, key, &batch->scratch, &offset, error);
    if (found < 0)
      return -1;
    if (found == 1) {
      answer_duplicate_of_line(request, buffer_span(&batch->scratch));
      return vouch_for(batch, agent, offset, error);
    }
    first = seen_in_batch(batch, i);
    if (first) {
      request->code = KAIZEN_DUPLICATE;
      answer_duplicate_of_request(request, first);
      return 0;
    }
  }
  add_line(batch, agent, i);
  return 0;
}

static size_t count_keys(const struct line_batch *batch) {
  size_t i, keys = 0;

  for (i = 0; i < batch->count; i++)
    keys += batch->requests[i]->execution->key.len > 0;
  return keys;
}

static int plan(struct line_batch *batch, struct agent *agent, struct error *error) {
  int result = 0;
  size_t i;

  memset(batch->seen, 0, slots_for(batch->count) * sizeof *batch->seen);
  buffer_clear(&batch->lines);
  checkpoint_keep(&agent->checkpoint, count_keys(batch));
  batch->next = agent->fold;
  batch->marks = batch->durable_needed = batch->displaced = false;
  for (i = 0; result == 0 && i < batch->count; i++)
    result = plan_request(batch, agent, i, error);
  if (result == 0 && batch->lines.failed)
    result = error_set(error, KAIZEN_E_NOMEM, "out of memory");
  return result;
}

/* A damaged checkpoint is noticed at a look-up: it is rebuilt from the log. */
static int plan_again(struct line_batch *batch, struct agent *agent, struct error *error) {
  int result;

  *error = (struct error){0};
  result = agent_fold_refresh(agent, error);
  if (result > 0)
    return error_set(error, KAIZEN_E_BUSY, "its files were replaced, or grew, in the meantime");
  return result == 0 ? plan(batch, agent, error) : -1;
}

/* Ends a step that failed: nothing will be added to the index. */
static int give_up(struct agent *agent) {
  (void)checkpoint_flush(&agent->checkpoint, NULL); /* nothing is left to write */
  return -1;
}

int line_batch_plan(struct line_batch *batch, struct agent *agent, struct error *error) {
  int result;

  if (batch->room == 0)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  result = plan(batch, agent, error);
  if (result != 0 && !agent->loaded)
    result = plan_again(batch, agent, error);
  return result == 0 ? 0 : give_up(agent);
}

/* ---- the log --------------------------------------------------------------------------------- */

/* The .state must exist, and belong to this tree, before the first marked line does: without it the
 * line would be taken for one of a copied tree, and held back. */
static int claim_state(const struct line_batch *batch, struct agent *agent, struct error *error) {
  unsigned char id[PROJECT_ID_SIZE];
  struct agent_state state;
  bool changed;

  if (!batch->marks || agent->state_claimed)
    return 0;
  if (project_identity(agent->project, id, error) != 0 ||
      agent_state_claim(agent->fd, id, &agent->fold, batch->options->sync, &state, &changed,
                        error) != 0)
    return -1;
  agent->state_claimed = true;
  return 0;
}

/* One that was removed since is made again now and then, so that only what was there by then is
 * held back.  No record fails for it.  One of another tree stays: if .id was removed, the publisher
 * writes the same id again. */
static void make_state_again(const struct line_batch *batch, struct agent *agent) {
  unsigned char id[PROJECT_ID_SIZE];
  struct agent_state state;
  bool changed;

  if (!batch->marks || !agent->state_due)
    return;
  agent->state_due = false;
  if (project_identity_look(agent->project, id, NULL) == 0 &&
      agent_state_load(agent->fd, &state, &changed, NULL) == 1)
    (void)agent_state_claim(agent->fd, id, &agent->fold, batch->options->sync, &state, &changed,
                            NULL);
}

static int write_lines(struct line_batch *batch, struct agent *agent, struct error *error) {
  enum agent_log_outcome outcome;
  uint64_t size = agent->anchor.end;
  struct span lines = buffer_span(&batch->lines);
  size_t last = batch->lines.len - 1;

  /* steps that can fail without leaving a line behind come first */
  if (claim_state(batch, agent, error) != 0 ||
      (batch->options->sync && agent_sync_path(agent, error) != 0))
    return -1;
  make_state_again(batch, agent);
  if (agent_log_append(&agent->log, lines, size, &outcome, error) != 0)
    return -1;
  if (batch->options->sync && agent_sync_log(agent, size + lines.len, error) != 0)
    return -1;
  if (outcome == AGENT_LOG_DISPLACED) {
    host_message_send(batch->options, agent->name, KAIZEN_LOG_WARNING, HOST_MESSAGE_FOREIGN_BYTES,
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

/* Without a line to append nothing else would sync. */
static int sync_for_duplicates(struct line_batch *batch, struct agent *agent, struct error *error) {
  if (!batch->durable_needed)
    return 0;
  agent->log.piece_count = 0;
  if (agent_sync_log(agent, agent->anchor.end, error) != 0)
    return -1;
  return agent_sync_path(agent, error);
}

int line_batch_append(struct line_batch *batch, struct agent *agent, struct error *error) {
  int result;

  batch->start = agent->anchor.end;
  if (batch->lines.len == 0)
    result = sync_for_duplicates(batch, agent, error);
  else
    result = write_lines(batch, agent, error);
  batch->displaced = result == 1;
  return result >= 0 ? 0 : give_up(agent);
}

/* ---- what follows from the log --------------------------------------------------------------- */

/* The new keys, once their lines are committed.  A failure costs the checkpoint, not a record: it
 * continues from its last stored state. */
static int add_keys(struct line_batch *batch, struct agent *agent, uint64_t start,
                    struct error *error) {
  size_t i;

  for (i = 0; i < batch->count; i++) {
    const struct buffer *key = &batch->requests[i]->execution->key;

    if (batch->offsets[i] == LINE_BATCH_NOT_NEW)
      continue;
    agent->unstored++;
    if (key->len > 0 &&
        agent_add_key(agent, buffer_span(key), start + batch->offsets[i], error) != 0)
      return -1;
  }
  return 0;
}

void line_batch_refresh_summary(struct line_batch *batch, struct agent *agent) {
  struct error error = {0};
  struct summary summary;

  batch->starved = false;
  if (!agent->summary_stale)
    return;
  summary_of(&agent->fold, batch->options->trend_window, &summary);
  buffer_clear(&batch->scratch);
  summary_append_json(&summary, &batch->scratch);
  if (batch->scratch.failed)
    (void)error_set(&error, KAIZEN_E_NOMEM, "out of memory");
  agent->summary_stale =
      batch->scratch.failed || summary_replace(agent->fd, agent->project->of_group,
                                               buffer_span(&batch->scratch), &error) != 0;
  batch->starved = error.os_error == EMFILE || error.os_error == ENFILE;
  if (agent->summary_stale && !batch->starved)
    host_message_send(batch->options, agent->name, KAIZEN_LOG_WARNING,
                      HOST_MESSAGE_SUMMARY_NOT_WRITTEN, error.text);
}

void line_batch_derive(struct line_batch *batch, struct agent *agent) {
  struct error error = {0};
  int result = 0;

  if (batch->lines.len == 0) {
    line_batch_refresh_summary(batch, agent);
    (void)checkpoint_flush(&agent->checkpoint, NULL); /* nothing is left to write */
    return;
  }
  if (batch->displaced) {
    result = agent_fold_refresh(agent, &error);
    if (result == AGENT_FOLD_GROWS)
      result = 0; /* the next call goes on from there */
  } else {
    agent->fold = batch->next;
    agent->summary_stale = true;
    result = add_keys(batch, agent, batch->start, &error);
  }
  if (result == 0)
    result = checkpoint_flush(&agent->checkpoint, &error);
  line_batch_refresh_summary(batch, agent);
  if (result == 0) {
    agent_store_checkpoint(agent, false);
  } else {
    checkpoint_close(&agent->checkpoint);
    agent->loaded = false;
  }
}
