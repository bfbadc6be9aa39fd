/* publisher_agent.c - one agent's events in flight: how far its log was read, and reading it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/publisher_agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/hash.h"
#include "record/event.h"
#include "store/dead_letter.h"

#define LOCK_WAIT_NS INT64_C(50000000)
#define NS_PER_S INT64_C(1000000000)
#define BUSY_RETRY_NS INT64_C(5000000)
#define FAILED_RETRY_NS INT64_C(1000000000)
#define SYNC_INTERVAL_NS INT64_C(5000000)
#define STORE_BUSY_NS INT64_C(100000000)
#define STORE_RETRY_NS INT64_C(1000000000)
#define STORE_RETRY_DOUBLINGS 5 /* 32 s */
#define FULL_RETRY_NS INT64_C(30000000000)
#define LETTERS_BYTES_MAX (1u << 20) /* that could not be stored yet */

struct publisher_agent *publisher_agent_new(struct site *site, const char *name) {
  size_t size = strlen(name) + 1;
  struct publisher_agent *agent = calloc(1, sizeof *agent + size);

  if (!agent)
    return NULL;
  memcpy(agent->name, name, size);
  agent->site = site;
  kept_outbox_init(&agent->log);
  agent->look = agent->look_at_state = true;
  return agent;
}

static void drop_entries(struct publisher_agent *agent, struct window *window) {
  struct window_entry *entry, *next;

  for (entry = agent->first; entry; entry = next) {
    next = entry->next;
    window_give_back(window, entry);
  }
  agent->first = agent->last = NULL;
}

static void drop_progress(struct publisher_agent *agent) {
  if (!agent->progress)
    return;
  buffer_fini(&agent->progress->letters);
  free(agent->progress);
  agent->progress = NULL;
}

void publisher_agent_free(struct publisher_agent *agent, struct window *window) {
  drop_entries(agent, window);
  drop_progress(agent);
  kept_outbox_close(&agent->log);
  free(agent);
}

/* Something is wrong with its files: reported once, tried again. */
static enum publisher_seen fail(struct publisher_agent *agent, const struct error *error,
                                int64_t now_ns) {
  if (!agent->failed)
    site_say(agent->site, KAIZEN_LOG_WARNING, PUBLISHER_MESSAGE_AGENT_FAILED, "%s: %s", agent->name,
             error->text);
  agent->failed = true;
  agent->not_before_ns = now_ns + FAILED_RETRY_NS;
  return PUBLISHER_LATER;
}

static enum publisher_seen wait_for_lock(struct publisher_agent *agent, int64_t now_ns) {
  agent->not_before_ns = now_ns + BUSY_RETRY_NS;
  return PUBLISHER_LATER;
}

/* The place was not valid and nothing is in flight any more: what was acknowledged is kept, the
 * rest is read again. */
static int leave_place(struct publisher_agent *agent, struct window *window, int64_t now_ns) {
  struct window_entry *entry;

  if (now_ns < agent->store_after_ns ||
      publisher_agent_store(agent, clock_monotonic_ns() + LOCK_WAIT_NS) == 1)
    return 1;
  agent->unacknowledged = 0;
  for (entry = agent->first; entry && agent->rewritten; entry = entry->next)
    agent->unacknowledged++;
  drop_entries(agent, window);
  agent->place.known = false;
  agent->replace = false;
  return 0;
}

static void replace_later(struct publisher_agent *agent, bool rewritten) {
  agent->replace = true;
  agent->rewritten = rewritten;
}

/* With "fsync: always" every finished commit is durable; what a killed recorder left is not.  At
 * most one sync in a few milliseconds, as it slows down the recorders' own. */
static int make_durable(struct publisher_agent *agent, int64_t now_ns, struct error *error) {
  if (!agent->site->durable || agent->log.outbox.committed_end <= agent->place.read_end)
    return 0;
  if (agent->unsynced)
    return error_set(error, KAIZEN_E_IO,
                     "the log could not be synced; its newest events are not sent");
  if (now_ns < agent->synced_ns + SYNC_INTERVAL_NS) {
    agent->not_before_ns = agent->synced_ns + SYNC_INTERVAL_NS;
    return 1;
  }
  if (fdatasync(agent->log.outbox.log_fd) != 0) {
    agent->unsynced =
        true; /* a later sync that succeeds would not mean that these bytes are on disk */
    return error_set_errno(error, KAIZEN_E_IO, errno, "fdatasync of the log");
  }
  agent->synced_ns = now_ns;
  return 0;
}

/* What is known here is no longer valid: begin again from .state. */
static void forget_place(struct publisher_agent *agent, bool rewritten) {
  drop_progress(agent);
  replace_later(agent, rewritten);
}

/* From .state to a place in the log.  1: to be tried again soon; -1 with *error. */
static int find_place(struct publisher_agent *agent, const struct agent_state *state,
                      struct error *error) {
  struct read_place_finding finding = {.unacknowledged = agent->unacknowledged,
                                       .sync = agent->site->durable};
  uint64_t held = state->cursor.held_count;
  int result = read_place_find(&agent->place, &agent->log.outbox, state, &finding, error);

  if (finding.lost > 0)
    site_say(
        agent->site, KAIZEN_LOG_ERROR, PUBLISHER_MESSAGE_LOST_BY_REWRITE,
        "%s: another program rewrote the log and removed events that were not acknowledged: %llu",
        agent->name, (unsigned long long)finding.lost);
  if (finding.held)
    agent->unacknowledged = 0; /* they are among those held back */
  if (result != 0)
    return result;
  if (held > 0)
    site_say(agent->site, KAIZEN_LOG_WARNING, PUBLISHER_MESSAGE_HELD,
             "%s: events held back: %llu; the tree was copied or restored, or its log "
             "rewritten, and they may have been sent before; send them with kaizen-host drain "
             "--resend-all, or count them as sent with --assume-sent",
             agent->name, (unsigned long long)held);
  if (state->last_stream_seq > agent->stored.sequence) {
    agent->stored.sequence = state->last_stream_seq;
    agent->stored.stream_hash = state->last_stream_hash;
    memcpy(agent->stored.id, state->last_stream_id, sizeof agent->stored.id);
  }
  agent->unacknowledged = 0;
  return 0;
}

/* Is `state` this tree's, and its cursor one that nobody else has moved? */
static bool is_ours(const struct publisher_agent *agent, const struct agent_state *state) {
  return memcmp(state->project_id, agent->site->id, PROJECT_ID_SIZE) == 0 &&
         (!agent->place.known || state->cursor.epoch == agent->place.epoch);
}

/* PUBLISHER_READY when the place is still valid.  `state` may be NULL (not read) only when the
 * place is known. */
static enum publisher_seen check_place(struct publisher_agent *agent,
                                       const struct agent_state *state, bool has_state,
                                       int64_t now_ns, struct error *error) {
  int result;

  if (state && !(has_state && is_ours(agent, state))) {
    if (!agent->place.known)
      return PUBLISHER_NOTHING;
    forget_place(agent, false);
    return PUBLISHER_LATER;
  }
  if (!agent->place.known) {
    result = find_place(agent, state, error);
    if (result == 1)
      return wait_for_lock(agent, now_ns);
  } else {
    result = read_place_holds(&agent->place, &agent->log.outbox, error);
    if (result == 1) {
      replace_later(agent, true);
      return PUBLISHER_LATER;
    }
  }
  return result < 0 ? fail(agent, error, now_ns) : PUBLISHER_READY;
}

static enum publisher_seen act_on(struct publisher_agent *agent, int looked, int64_t now_ns,
                                  const struct error *error) {
  switch (looked) {
  case OUTBOX_BUSY:
    return wait_for_lock(agent, now_ns);
  case OUTBOX_EMPTY:
  case OUTBOX_GONE:
    kept_outbox_close(&agent->log);
    if (agent->place.known)
      forget_place(agent, true);
    return looked == OUTBOX_GONE ? wait_for_lock(agent, now_ns) : PUBLISHER_NOTHING;
  default:
    return fail(agent, error, now_ns);
  }
}

enum publisher_seen publisher_agent_look(struct publisher_agent *agent, struct window *window,
                                         int64_t now_ns) {
  struct agent_state state;
  struct error error = {0};
  bool has_state = false, want_state;
  enum publisher_seen seen;
  int result;

  if (agent->replace && (agent->in_flight > 0 || leave_place(agent, window, now_ns) != 0))
    return PUBLISHER_LATER;
  if (now_ns < agent->not_before_ns)
    return PUBLISHER_LATER;
  agent->used_ns = now_ns;
  result = kept_outbox_open(&agent->log, &agent->site->project, agent->name, &error);
  if (result != 0)
    return result == 1 ? PUBLISHER_NOTHING : fail(agent, &error, now_ns);
  want_state = !agent->place.known || agent->look_at_state;
  result = outbox_look(&agent->log.outbox, now_ns + LOCK_WAIT_NS, want_state ? &state : NULL,
                       &has_state, &error);
  if (result != OUTBOX_SEEN)
    return act_on(agent, result, now_ns, &error);
  agent->look_at_state = false;
  seen = check_place(agent, want_state ? &state : NULL, has_state, now_ns, &error);
  if (seen != PUBLISHER_READY)
    return seen;
  agent->failed = false;
  result = make_durable(agent, now_ns, &error);
  if (result < 0)
    return fail(agent, &error, now_ns);
  return result == 1 ? PUBLISHER_LATER : PUBLISHER_READY;
}

static struct window_entry *append_entry(struct publisher_agent *agent, struct window *window,
                                         const struct outbox_line *line) {
  struct window_entry *entry = window_take(window);

  if (!entry)
    return NULL;
  entry->agent = agent;
  entry->begin = line->line.offset;
  entry->end = line->line.end;
  entry->state = WINDOW_QUEUED;
  memcpy(entry->id, line->id, sizeof entry->id);
  if (agent->last)
    agent->last->next = entry;
  else
    agent->first = entry;
  agent->last = entry;
  return entry;
}

size_t publisher_agent_read(struct publisher_agent *agent, struct window *window, size_t max,
                            publisher_offer offer, void *ctx) {
  struct read_place *place = &agent->place;
  struct line_reader reader;
  struct outbox_line line;
  struct error error = {0};
  bool more = true;
  size_t count = 0;
  int result = 1;

  outbox_read_from(&agent->log.outbox, place->read_end, &reader);
  while (more && count < max && (result = outbox_next_marked(&reader, &line, &error)) == 1) {
    struct window_entry *entry = append_entry(agent, window, &line);

    if (!entry)
      break;
    count++;
    place->read_end = place->last_end = line.line.end;
    memcpy(place->last_id, line.id, sizeof line.id);
    more = offer(ctx, entry, &line.record);
  }
  if (result == 0) {
    place->read_end = reader.offset;
    agent->look = false;
  }
  line_reader_fini(&reader);
  if (read_place_mark(place, &agent->log.outbox, &error) != 0 || result < 0) {
    (void)fail(agent, &error, clock_monotonic_ns());
    replace_later(agent, false);
  }
  return count;
}

int publisher_agent_reread(struct publisher_agent *agent, const struct window_entry *entry,
                           struct buffer *text, struct record *record) {
  struct error error = {0};
  int result = kept_outbox_reopen(&agent->log, &agent->site->project, agent->name, &error);

  if (result == 0 && agent->log.outbox.log_fd < 0)
    result = 1;
  if (result == 0)
    result = outbox_read_line(&agent->log.outbox, entry->begin, entry->id, text, record, &error);
  kept_outbox_settle(&agent->log);
  if (result == 0)
    return 0;
  if (result < 0)
    (void)fail(agent, &error, clock_monotonic_ns());
  agent->look = true;
  replace_later(agent, result == 1);
  return 1;
}

/* ---- what is done with --------------------------------------------------------------------- */

/* The event as it would have been sent; where no event can be made of the line, what it says.  -1:
 * out of memory. */
static int write_letter(struct publisher_agent *agent, const struct window_entry *entry,
                        int64_t now_unix_ns) {
  struct buffer *letters = &agent->progress->letters;
  size_t before = letters->len;
  struct buffer text = {0}, event = {0};
  struct record record;
  struct span shown = {NULL, 0};

  if (outbox_read_line(&agent->log.outbox, entry->begin, entry->id, &text, &record, NULL) == 0) {
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

/* May one more event become a dead letter?  If not, no letter is dropped: the agent's events wait,
 * from that one on, and the other agents' continue. */
static bool can_write_letter(struct publisher_agent *agent, int64_t now_ns) {
  size_t len = agent->progress ? agent->progress->letters.len : 0;
  struct error error = {0};
  int result = kept_outbox_reopen(&agent->log, &agent->site->project, agent->name, &error);

  if (result >= 0 && !kept_outbox_is_open(&agent->log))
    return true; /* the folder is gone, and so is what would be stored there */
  if (result >= 0 && !dead_letter_has_room(agent->log.outbox.agent_fd, len))
    result =
        error_set(&error, KAIZEN_E_IO,
                  "its dead letters have reached the limit of %u MiB: its events stay pending; "
                  "kaizen-host dead-letters list says why, dead-letters retry sends them again",
                  DEAD_LETTER_BYTES_MAX >> 20);
  if (result >= 0 && len < LETTERS_BYTES_MAX)
    return true;
  if (result < 0)
    (void)fail(agent, &error, now_ns);
  agent->not_before_ns = now_ns + FULL_RETRY_NS;
  agent->look = true;
  replace_later(agent, false);
  return false;
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
    struct publisher_progress *progress;

    if (entry->refusal && !can_write_letter(agent, now_ns))
      return;
    progress = begin_progress(agent, now_ns);
    /* out of memory: it stays in the window until the next answer */
    if (!progress || (entry->refusal && write_letter(agent, entry, clock_wall_ns()) != 0))
      return;
    if (entry->refusal)
      site_say(agent->site, KAIZEN_LOG_ERROR, PUBLISHER_MESSAGE_DEAD_LETTER,
               "%s: an event became a dead letter: %s", agent->name, entry->refusal);
    cursor_progress_pass(&progress->cursor, entry->id, entry->end, entry->refusal != NULL);
    memcpy(agent->place.passed_id, entry->id, sizeof agent->place.passed_id);
    agent->first = entry->next;
    if (!agent->first)
      agent->last = NULL;
    window_give_back(window, entry);
  }
}

/* Stores the letters and the cursor that counts them, or neither: repeated tries must not write the
 * same letters each time. */
static int store_with_letters(struct publisher_agent *agent, struct agent_state *state,
                              struct error *error) {
  struct buffer *letters = &agent->progress->letters;
  int agent_fd = agent->log.outbox.agent_fd;

  if (letters->len > 0 &&
      dead_letter_append(agent_fd, buffer_span(letters), agent->site->durable, error) != 0)
    return -1;
  if (agent_state_store(agent_fd, state, false, error) == 0)
    return 0;
  if (letters->len > 0 && dead_letter_take_back(agent_fd, letters->len) != 0)
    buffer_clear(letters); /* they are in the file already */
  return -1;
}

/* 0 stored; 1 the cursor is not where this publisher left it, so the progress is of no use; -1. */
static int store_locked(struct publisher_agent *agent, struct agent_state *state, bool same_log,
                        struct error *error) {
  struct publisher_progress *progress = agent->progress;

  same_log = same_log && agent->log.outbox.inode == agent->place.inode;
  if (memcmp(state->project_id, agent->site->id, PROJECT_ID_SIZE) != 0 ||
      cursor_advance(&state->cursor, &progress->cursor, same_log) != 0)
    return 1;
  if (state->cursor.epoch != agent->token)
    cursor_claim(&state->cursor, clock_wall_ns());
  state->store_lost += agent->stores_lost;
  state->last_stream_seq = agent->stored.sequence;
  state->last_stream_hash = agent->stored.stream_hash;
  memcpy(state->last_stream_id, agent->stored.id, sizeof state->last_stream_id);
  if (agent->last_acknowledged_unix_ns > 0)
    state->last_acknowledged_unix_ns = agent->last_acknowledged_unix_ns;
  if (store_with_letters(agent, state, error) != 0)
    return -1;
  agent->token = agent->place.epoch = state->cursor.epoch;
  agent->stores_lost = 0;
  return 0;
}

/* A disk that is full, a file that may not be written: it is tried again after a second, then after
 * twice as long each time. */
static int store_later(struct publisher_agent *agent) {
  agent->store_after_ns = clock_monotonic_ns() + (STORE_RETRY_NS << agent->stores_failed);
  if (agent->stores_failed < STORE_RETRY_DOUBLINGS)
    agent->stores_failed++;
  return 1;
}

/* As outbox_lock_state(). */
static int lock_state(struct publisher_agent *agent, int64_t deadline_ns, struct agent_state *state,
                      bool *same_log, struct error *error) {
  if (!site_is_ours(agent->site))
    return OUTBOX_GONE;
  if (kept_outbox_reopen(&agent->log, &agent->site->project, agent->name, error) < 0)
    return -1;
  return agent->log.outbox.agent_fd < 0
             ? OUTBOX_GONE
             : outbox_lock_state(&agent->log.outbox, deadline_ns, state, same_log, error);
}

int publisher_agent_store(struct publisher_agent *agent, int64_t lock_deadline_ns) {
  struct agent_state state;
  struct error error = {0};
  bool same_log = false;
  int result;

  if (!agent->progress)
    return 0;
  result = lock_state(agent, lock_deadline_ns, &state, &same_log, &error);
  if (result == OUTBOX_BUSY) {
    agent->store_after_ns = clock_monotonic_ns() + STORE_BUSY_NS;
    return 1;
  }
  if (result == OUTBOX_SEEN) {
    result = store_locked(agent, &state, same_log, &error);
    agent_lock_release(&agent->log.outbox.lock);
  }
  if (result < 0) {
    site_say(agent->site, KAIZEN_LOG_WARNING, PUBLISHER_MESSAGE_AGENT_FAILED, "%s: %s", agent->name,
             error.text);
    return store_later(agent);
  }
  agent->stores_failed = 0;
  agent->store_after_ns = 0;
  drop_progress(agent);
  if (result == 0) {
    /* not under the lock: nobody waits for the disk because a cursor moved */
    if (agent->site->durable)
      (void)agent_state_sync(agent->log.outbox.agent_fd, NULL);
    return 0;
  }
  agent->replace = agent->look = agent->look_at_state = true;
  agent->rewritten = false;
  return -1;
}
