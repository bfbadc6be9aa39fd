/* publisher_place.c - the cursor.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/publisher_place.h"

#include <stdlib.h>
#include <string.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/hash.h"
#include "base/uuid.h"
#include "publisher/publisher_project.h"
#include "record/event.h"
#include "store/dead_letter.h"

#define TAIL_BYTES 512u
#define LOCK_WAIT_NS INT64_C(100000000)
#define NS_PER_S INT64_C(1000000000)

static int hash_tail(const struct publisher_agent *agent, uint64_t *hash, struct error *error) {
  unsigned char tail[TAIL_BYTES];
  uint64_t end = agent->place.read_end;
  size_t len = end < sizeof tail ? (size_t)end : sizeof tail, got;

  if (directory_read_at(agent->outbox.log_fd, tail, len, end - len, &got, error) != 0)
    return -1;
  *hash = hash_bytes(tail, got, got);
  return 0;
}

int publisher_place_mark(struct publisher_agent *agent, struct error *error) {
  agent->place.device = agent->outbox.device;
  agent->place.inode = agent->outbox.inode;
  return hash_tail(agent, &agent->place.tail_hash, error);
}

int publisher_place_holds(const struct publisher_agent *agent, struct error *error) {
  const struct publisher_place *place = &agent->place;
  uint64_t hash;

  if (agent->outbox.inode != place->inode || agent->outbox.device != place->device ||
      agent->outbox.committed_end < place->read_end)
    return 1;
  if (hash_tail(agent, &hash, error) != 0)
    return -1;
  if (hash != place->tail_hash)
    return 1;
  return place->last_end == 0
             ? 0
             : outbox_line_ends_at(&agent->outbox, place->last_end, place->last_id, error);
}

/* How many of the lines up to the cursor, without the held ones, are dead letters. */
static int count_dead(const struct publisher_agent *agent, const struct cursor *cursor,
                      uint64_t *count, struct error *error) {
  struct dead_letter_ids ids = {0};
  struct line_reader reader;
  struct outbox_line line;
  int result = dead_letter_load_ids(agent->outbox.agent_fd, &ids, error);

  *count = 0;
  outbox_read_from(&agent->outbox, 0, &reader);
  for (uint64_t n = 0; result == 0 && ids.count > 0 && n < cursor->marked; n++) {
    int more = outbox_next_marked(&reader, &line, error);

    if (more != 1) {
      result = more;
      break;
    }
    *count += !cursor_holds(cursor, n) && dead_letter_has(&ids, line.id);
  }
  line_reader_fini(&reader);
  dead_letter_ids_fini(&ids);
  return result;
}

/* The log is not what .state was written for: the numbers are taken from the log as it is. */
static int store_recount(struct publisher_agent *agent, const struct agent_state *seen,
                         const struct cursor_search *search, struct error *error) {
  uint64_t behind = search->total - search->marked;
  uint64_t lost = agent->unacknowledged > behind ? agent->unacknowledged - behind : 0;
  struct cursor moved = seen->cursor;
  struct agent_state state;
  bool same_log;
  uint64_t dead;
  int result;

  if (cursor_follow_search(&moved, search) != 0)
    return cursor_check(&seen->cursor, error) == 0 ? 1 : -1;
  if (count_dead(agent, &moved, &dead, error) != 0)
    return -1;
  result = outbox_lock_state(&agent->outbox, clock_monotonic_ns() + LOCK_WAIT_NS, &state, &same_log,
                             error);
  if (result != OUTBOX_SEEN)
    return result < 0 ? -1 : 1;
  if (!same_log || state.sequence != seen->sequence ||
      cursor_follow_search(&state.cursor, search) != 0 ||
      cursor_set_dead(&state.cursor, dead) != 0) {
    result = 1;
  } else {
    state.lost_by_rewrite += lost;
    result = agent_state_store(agent->outbox.agent_fd, &state, agent->project->durable, error);
  }
  agent_lock_release(&agent->outbox.lock);
  if (result == 0 && lost > 0)
    publisher_project_say(agent->project, KAIZEN_LOG_ERROR, PUBLISHER_MESSAGE_LOST_BY_REWRITE,
                          "%s: the log was rewritten by another program, which took %llu events "
                          "that were not acknowledged",
                          agent->name, (unsigned long long)lost);
  return result;
}

static void tell_held(struct publisher_agent *agent, uint64_t count) {
  if (count > 0)
    publisher_project_say(
        agent->project, KAIZEN_LOG_WARNING, PUBLISHER_MESSAGE_HELD,
        "%s: %llu events are held, as this tree was copied or restored; send them with "
        "kaizen-host drain --resend-all, or take them as sent with --assume-sent",
        agent->name, (unsigned long long)count);
}

int publisher_place_find(struct publisher_agent *agent, const struct agent_state *state,
                         struct error *error) {
  const struct cursor *cursor = &state->cursor;
  struct cursor_search found = {.end = cursor->end};
  const unsigned char *id = cursor_line_id(cursor);
  struct publisher_place *place = &agent->place;
  bool at_beginning = cursor->recent_count == 0 && cursor->end == 0 && cursor->marked == 0;
  int result = 0;

  if (cursor_check(cursor, error) != 0)
    return -1;
  if (!at_beginning)
    result =
        cursor->recent_count == 0 ? 1 : outbox_line_ends_at(&agent->outbox, cursor->end, id, error);
  if (result < 0)
    return -1;
  /* The line is elsewhere, or events that were waiting may be gone: the whole log is read. */
  if (result == 1 || agent->unacknowledged > 0) {
    if (outbox_find(&agent->outbox, cursor, &found, error) != 0)
      return -1;
    if (result == 1 || agent->unacknowledged > found.total - found.marked)
      result = store_recount(agent, state, &found, error);
    if (result != 0)
      return result;
    if (found.index < cursor->recent_count)
      id = cursor->recent[found.index];
  }
  *place = (struct publisher_place){
      .epoch = cursor->epoch, .read_end = found.end, .last_end = found.end};
  if (found.end > 0) {
    memcpy(place->last_id, id, sizeof place->last_id);
    memcpy(place->passed_id, id, sizeof place->passed_id);
  }
  if (publisher_place_mark(agent, error) != 0)
    return -1;
  if (state->last_stream_seq > agent->stream_sequence)
    agent->stream_sequence = state->last_stream_seq;
  place->known = true;
  agent->unacknowledged = 0;
  tell_held(agent, cursor->held_count);
  return 0;
}

void publisher_progress_drop(struct publisher_agent *agent) {
  if (!agent->progress)
    return;
  buffer_fini(&agent->progress->letters);
  free(agent->progress);
  agent->progress = NULL;
}

/* The event as it would have been sent; what the line says where no event can be made of it.  -1:
 * out of memory. */
static int write_letter(struct publisher_agent *agent, const struct window_entry *entry,
                        int64_t now_unix_ns) {
  struct buffer *letters = &agent->progress->letters;
  size_t before = letters->len;
  struct buffer text = {0}, event = {0};
  struct record record;
  struct span shown = {NULL, 0};

  if (outbox_read_line(&agent->outbox, entry->begin, entry->id, &text, &record, NULL) == 0) {
    shown = record.event.raw;
    if (event_append_envelope(&record, &event, NULL) == 0 && !event.failed)
      shown = buffer_span(&event);
  }
  dead_letter_write(entry->id, agent->name, entry->refusal, now_unix_ns / NS_PER_S, shown, letters);
  buffer_fini(&event);
  buffer_fini(&text);
  if (!letters->failed)
    return 0;
  letters->failed = false;
  letters->len = before;
  return -1;
}

static struct publisher_progress *begin_progress(struct publisher_agent *agent, int64_t now_ns) {
  if (!agent->progress) {
    agent->progress = calloc(1, sizeof *agent->progress);
    if (!agent->progress)
      return NULL;
    agent->progress->since_ns = now_ns;
    cursor_progress_begin(&agent->progress->cursor, agent->place.epoch, agent->place.passed_id,
                          clock_wall_ns());
  }
  return agent->progress;
}

void publisher_agent_advance(struct publisher_agent *agent, struct window *window, int64_t now_ns) {
  while (agent->first && agent->first->state == WINDOW_DONE) {
    struct window_entry *entry = agent->first;
    struct publisher_progress *progress = begin_progress(agent, now_ns);

    /* out of memory: it stays in the window until the next answer */
    if (!progress || (entry->refusal && write_letter(agent, entry, clock_wall_ns()) != 0))
      return;
    if (entry->refusal)
      publisher_project_say(agent->project, KAIZEN_LOG_ERROR, PUBLISHER_MESSAGE_DEAD_LETTER,
                            "%s: an event became a dead letter: %s", agent->name, entry->refusal);
    cursor_progress_pass(&progress->cursor, entry->id, entry->end, entry->refusal != NULL);
    memcpy(agent->place.passed_id, entry->id, sizeof agent->place.passed_id);
    agent->first = entry->next;
    if (!agent->first)
      agent->last = NULL;
    window_give_back(window, entry);
  }
}

/* 0 stored; 1 the cursor is not where this publisher left it, so the progress is of no use; -1. */
static int store_locked(struct publisher_agent *agent, struct agent_state *state, bool same_log,
                        struct error *error) {
  struct publisher_progress *progress = agent->progress;

  same_log = same_log && agent->outbox.inode == agent->place.inode;
  if (memcmp(state->project_id, agent->project->id, PROJECT_ID_SIZE) != 0 ||
      cursor_advance(&state->cursor, &progress->cursor, same_log) != 0)
    return 1;
  state->store_lost += agent->stores_lost;
  state->last_stream_seq = agent->stream_sequence;
  if (agent->last_acknowledged_unix_ns > 0)
    state->last_acknowledged_unix_ns = agent->last_acknowledged_unix_ns;
  if (progress->letters.len > 0 &&
      dead_letter_append(agent->outbox.agent_fd, buffer_span(&progress->letters),
                         agent->project->durable, error) != 0)
    return -1;
  if (agent_state_store(agent->outbox.agent_fd, state, false, error) != 0)
    return -1;
  agent->stores_lost = 0;
  return 0;
}

int publisher_agent_store(struct publisher_agent *agent) {
  struct agent_state state;
  struct error error = {0};
  bool same_log = false;
  int result;

  if (!agent->progress)
    return 0;
  if (agent->outbox.agent_fd < 0)
    result = OUTBOX_GONE;
  else
    result = outbox_lock_state(&agent->outbox, clock_monotonic_ns() + LOCK_WAIT_NS, &state,
                               &same_log, &error);
  if (result == OUTBOX_BUSY)
    return 1;
  if (result == OUTBOX_SEEN) {
    result = store_locked(agent, &state, same_log, &error);
    agent_lock_release(&agent->outbox.lock);
  }
  if (result < 0) {
    publisher_project_say(agent->project, KAIZEN_LOG_WARNING, PUBLISHER_MESSAGE_AGENT_FAILED,
                          "%s: %s", agent->name, error.text);
    return 1;
  }
  publisher_progress_drop(agent);
  if (result == 0) {
    /* not under the lock: nobody waits for the disk because a cursor moved */
    if (agent->project->durable)
      (void)agent_state_sync(agent->outbox.agent_fd, NULL);
    return 0;
  }
  agent->replace = agent->look = agent->look_at_state = true;
  agent->rewritten = false;
  return -1;
}
