/* publisher_agent.c - one agent's events on their way: where reading stands, and reading.
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
#include "publisher/publisher_place.h"
#include "publisher/publisher_project.h"

#define LOCK_WAIT_NS INT64_C(50000000)
#define BUSY_RETRY_NS INT64_C(5000000)
#define FAILED_RETRY_NS INT64_C(1000000000)
#define SYNC_INTERVAL_NS INT64_C(5000000)

struct publisher_agent *publisher_agent_new(struct publisher_project *project, const char *name) {
  size_t size = strlen(name) + 1;
  struct publisher_agent *agent = calloc(1, sizeof *agent + size);

  if (!agent)
    return NULL;
  memcpy(agent->name, name, size);
  agent->project = project;
  agent->outbox.agent_fd = -1;
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

void publisher_agent_free(struct publisher_agent *agent, struct window *window) {
  drop_entries(agent, window);
  publisher_progress_drop(agent);
  publisher_agent_close(agent);
  free(agent);
}

void publisher_agent_close(struct publisher_agent *agent) {
  outbox_close(&agent->outbox);
}

/* Something about its files does not work: told once, tried again. */
static enum publisher_seen fail(struct publisher_agent *agent, const struct error *error,
                                int64_t now_ns) {
  if (!agent->failed)
    publisher_project_say(agent->project, KAIZEN_LOG_WARNING, PUBLISHER_MESSAGE_AGENT_FAILED,
                          "%s: %s", agent->name, error->text);
  agent->failed = true;
  agent->not_before_ns = now_ns + FAILED_RETRY_NS;
  return PUBLISHER_LATER;
}

static enum publisher_seen wait_for_lock(struct publisher_agent *agent, int64_t now_ns) {
  agent->not_before_ns = now_ns + BUSY_RETRY_NS;
  return PUBLISHER_LATER;
}

/* The place was no good and nothing is in flight any more: what was acknowledged is kept, the rest
 * is read again. */
static int leave_place(struct publisher_agent *agent, struct window *window) {
  struct window_entry *entry;

  if (publisher_agent_store(agent) == 1)
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

static int open_outbox(struct publisher_agent *agent, struct error *error) {
  if (agent->outbox.agent_fd >= 0)
    return 0;
  return outbox_open(&agent->outbox, &agent->project->project, agent->name, error);
}

/* With "fsync: always" every finished commit is durable; what a killed recorder left is not.  At
 * most one sync in a few milliseconds, as it slows down the recorders' own. */
static int make_durable(struct publisher_agent *agent, int64_t now_ns, struct error *error) {
  if (!agent->project->durable || agent->outbox.committed_end <= agent->place.read_end)
    return 0;
  if (agent->unsynced)
    return error_set(error, KAIZEN_E_IO,
                     "the log could not be made durable; its newest events are not sent");
  if (now_ns < agent->synced_ns + SYNC_INTERVAL_NS) {
    agent->not_before_ns = agent->synced_ns + SYNC_INTERVAL_NS;
    return 1;
  }
  if (fdatasync(agent->outbox.log_fd) != 0) {
    agent->unsynced =
        true; /* a later sync that succeeds would not mean that these bytes are on disk */
    return error_set_errno(error, KAIZEN_E_IO, errno, "fdatasync of the log");
  }
  agent->synced_ns = now_ns;
  return 0;
}

/* PUBLISHER_READY when the place holds. */
static enum publisher_seen check_place(struct publisher_agent *agent,
                                       const struct agent_state *state, bool has_state,
                                       int64_t now_ns, struct error *error) {
  int result;

  if (state && (!has_state || memcmp(state->project_id, agent->project->id, PROJECT_ID_SIZE) != 0 ||
                (agent->place.known && state->cursor.epoch != agent->place.epoch))) {
    /* Somebody moved the cursor, or the tree is not ours (yet): nothing of what is known here
     * counts. */
    if (agent->place.known) {
      publisher_progress_drop(agent);
      replace_later(agent, false);
      return PUBLISHER_LATER;
    }
    return PUBLISHER_NOTHING;
  }
  if (agent->place.known) {
    result = publisher_place_holds(agent, error);
    if (result == 1)
      replace_later(agent, true);
    if (result == 1)
      return PUBLISHER_LATER;
  } else {
    result = publisher_place_find(agent, state, error);
    if (result == 1)
      return wait_for_lock(agent, now_ns);
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
    publisher_agent_close(agent);
    if (agent->place.known) {
      publisher_progress_drop(agent);
      replace_later(agent, true);
    }
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

  if (now_ns < agent->not_before_ns)
    return PUBLISHER_LATER;
  agent->used_ns = now_ns;
  if (agent->replace && (agent->in_flight > 0 || leave_place(agent, window) != 0))
    return PUBLISHER_LATER;
  result = open_outbox(agent, &error);
  if (result != 0)
    return result == 1 ? PUBLISHER_NOTHING : fail(agent, &error, now_ns);
  want_state = !agent->place.known || agent->look_at_state;
  result = outbox_look(&agent->outbox, now_ns + LOCK_WAIT_NS, want_state ? &state : NULL,
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
  struct publisher_place *place = &agent->place;
  struct line_reader reader;
  struct outbox_line line;
  struct error error = {0};
  bool more = true;
  size_t count = 0;
  int result = 1;

  outbox_read_from(&agent->outbox, place->read_end, &reader);
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
  if (publisher_place_mark(agent, &error) != 0 || result < 0) {
    (void)fail(agent, &error, clock_monotonic_ns());
    replace_later(agent, false);
  }
  return count;
}

int publisher_agent_reread(struct publisher_agent *agent, const struct window_entry *entry,
                           struct buffer *text, struct record *record) {
  struct error error = {0};
  int result =
      agent->outbox.agent_fd < 0 || agent->outbox.log_fd < 0
          ? 1
          : outbox_read_line(&agent->outbox, entry->begin, entry->id, text, record, &error);

  if (result == 0)
    return 0;
  if (result < 0)
    (void)fail(agent, &error, clock_monotonic_ns());
  agent->look = true;
  replace_later(agent, result == 1);
  return 1;
}
