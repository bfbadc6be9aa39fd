/* delivery.c - an operator's decisions about events.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sending again means moving the cursor back: every marked line after it is pending.  The log is
 * read without the exclusive lock, as it may be long; the move is made under it when neither the
 * log nor the cursor's epoch changed meanwhile. */
#include "store/delivery.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/agent_view.h"
#include "store/dead_letter.h"
#include "store/doorbell.h"
#include "store/outbox.h"
#include "store/project_identity.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define TRIES 5
#define BRIEF_MS 10 /* for a lock, after the wait for another one failed */

struct operation {
  const struct project *project;
  unsigned char id[PROJECT_ID_SIZE];
  int64_t since_unix_ns, lock_timeout_ms;
  bool dead_only; /* send again for the sake of the dead letters */
  uint64_t count;
  struct error *error;
  struct error first_error; /* of the agents that could not be handled */
  bool failed, ended;       /* one of them; the host ended the output */
  int (*deal_with)(struct operation *operation, const char *name);
  kaizen_sink sink;
  void *sink_ctx;
};

/* Where the cursor moves to, and what is known of the lines around it. */
struct aim {
  uint64_t marked; /* this many marked lines stay before it */
  struct cursor_target target;
  struct dead_letter_ids revived; /* of lines that will be pending again */
};

static int64_t deadline_of(const struct operation *operation) {
  return clock_monotonic_ns() + operation->lock_timeout_ms * NS_PER_MS;
}

static void tell_publisher(const struct project *project, const char *name) {
  struct doorbell_button button;

  doorbell_button_init(&button);
  doorbell_ring(&button, project, name);
  doorbell_button_close(&button);
}

static int busy(struct error *error) {
  return error_set(error, KAIZEN_E_BUSY, "the agent's log is busy; try again");
}

/* Makes .state this tree's own, with the events it was copied with held back.  The tree may have
 * been copied since anybody wrote here. */
static int claim(const struct operation *operation, const char *name, struct outbox *outbox) {
  struct error *error = operation->error;
  struct agent_view_limits limits;
  struct agent_view view;
  struct agent_state state;
  struct stat before, after;
  bool changed;
  int result;

  for (int i = 0; i < TRIES; i++) {
    limits = agent_view_patience(operation->lock_timeout_ms);
    if (fstat(outbox->log_fd, &before) != 0 ||
        agent_view_read(operation->project, name, &limits, &view, error) != 0)
      return -1;
    if (view.has_state && memcmp(view.state.project_id, operation->id, PROJECT_ID_SIZE) == 0)
      return 0;
    result = agent_lock_exclusive(&outbox->lock, deadline_of(operation), error);
    if (result != 0)
      return result < 0 ? -1 : busy(error);
    if (agent_lock_in_place(&outbox->lock, outbox->agent_fd) &&
        fstat(outbox->log_fd, &after) == 0 && before.st_size == after.st_size &&
        after.st_nlink > 0) {
      result = agent_state_claim(outbox->agent_fd, operation->id, &view.fold,
                                 operation->project->sync, &state, &changed, error);
      agent_lock_release(&outbox->lock);
      return result;
    }
    agent_lock_release(&outbox->lock);
  }
  return busy(error);
}

/* 0 with the agent's committed log and its state, 1 when it has no log, -1. */
static int open_agent(const struct operation *operation, const char *name, struct outbox *outbox,
                      struct agent_state *state) {
  bool has_state;
  int result = outbox_open(outbox, operation->project, name, operation->error);

  if (result != 0)
    return result;
  for (int i = 0; i < 2; i++) {
    result = outbox_look(outbox, deadline_of(operation), state, &has_state, operation->error);
    if (result == OUTBOX_SEEN && has_state &&
        memcmp(state->project_id, operation->id, PROJECT_ID_SIZE) == 0)
      return 0;
    if (result != OUTBOX_SEEN || claim(operation, name, outbox) != 0)
      break;
  }
  outbox_close(outbox);
  if (result == OUTBOX_EMPTY)
    return 1;
  return result == OUTBOX_BUSY || result == OUTBOX_GONE ? busy(operation->error) : -1;
}

/* The marks whose time may reach back to `since` are the first `*count`: up to the one before the
 * oldest later mark, because a wrong clock may have set any of them.  False: the ring does not go
 * back that far. */
static bool relevant_marks(const struct cursor *cursor, int64_t since_unix_ns, uint32_t *count) {
  uint32_t k = 0;

  for (uint32_t i = 0; i + 1 < cursor->mark_count; i++)
    if (cursor->marks[i].time_s >= since_unix_ns / NS_PER_S)
      k = i + 1;
  *count = cursor->mark_count > 0 ? k + 1 : 0;
  return *count > 0 &&
         (cursor->mark_count < CURSOR_MARKS || cursor->marks[k].time_s <= since_unix_ns / NS_PER_S);
}

/* How many marked lines stay after the cursor when everything since then is sent again. */
static int find_since(const struct operation *operation, const struct outbox *outbox,
                      const struct cursor *cursor, struct aim *aim) {
  struct line_reader reader;
  struct outbox_line line;
  uint64_t number = 0, first = UINT64_MAX;
  uint32_t count, found = 0;
  int result;

  aim->marked = 0;
  if (operation->since_unix_ns <= 0) {
    aim->target.release_held = true;
    return 0;
  }
  if (!relevant_marks(cursor, operation->since_unix_ns, &count))
    count = 0;
  outbox_read_from(outbox, 0, &reader);
  while (count > 0 && (result = outbox_next_marked(&reader, &line, operation->error)) == 1) {
    number++;
    for (uint32_t i = 0; i < count; i++)
      if (memcmp(cursor->marks[i].id, line.id, sizeof line.id) == 0) {
        found++;
        if (number < first)
          first = number;
      }
  }
  line_reader_fini(&reader);
  /* a mark before the first line, or of a line that is not there any more: from the beginning */
  if (count > 0 && found == count)
    aim->marked = first;
  return count > 0 && result < 0 ? -1 : 0;
}

/* Events held back stay so, unless all are to be sent. */
static void keep_held(const struct cursor *cursor, struct aim *aim) {
  uint64_t held_until = cursor->held_from_marked + cursor->held_count;

  if (cursor->held_count > 0 && !aim->target.release_held && aim->marked < held_until)
    aim->marked = held_until;
}

/* How many marked lines are before the first dead letter. */
static int find_first_dead(const struct outbox *outbox, const struct dead_letter_ids *dead,
                           struct aim *aim, struct error *error) {
  struct line_reader reader;
  struct outbox_line line;
  uint64_t number = 0;
  int result;

  outbox_read_from(outbox, 0, &reader);
  while ((result = outbox_next_marked(&reader, &line, error)) == 1 &&
         !dead_letter_has(dead, line.id))
    number++;
  line_reader_fini(&reader);
  aim->marked = result == 1 ? number : UINT64_MAX;
  return result < 0 ? -1 : 0;
}

/* Collects what the cursor will say after the move, from the lines up to where it is now. */
static int survey(const struct outbox *outbox, const struct cursor *cursor,
                  const struct dead_letter_ids *dead, struct aim *aim, struct error *error) {
  struct line_reader reader;
  struct outbox_line line;
  int result = 1;

  outbox_read_from(outbox, 0, &reader);
  for (uint64_t n = 0; n < cursor->marked; n++) {
    bool is_dead;

    result = outbox_next_marked(&reader, &line, error);
    if (result != 1)
      break;
    is_dead = dead_letter_has(dead, line.id);
    if (n < aim->marked)
      cursor_target_pass(&aim->target, line.id, line.line.end, is_dead && !cursor_holds(cursor, n));
    else if (is_dead && dead_letter_ids_add(&aim->revived, line.id, error) != 0)
      result = -1;
    if (result < 0)
      break;
  }
  line_reader_fini(&reader);
  dead_letter_ids_sort(&aim->revived);
  return result < 0 ? -1 : 0;
}

/* 0 done, 1 something changed meanwhile, -1. */
static int move_back(const struct operation *operation, struct outbox *outbox,
                     const struct cursor *seen, const struct aim *aim, uint64_t *moved) {
  struct agent_state state;
  bool same_log;
  int result =
      outbox_lock_state(outbox, deadline_of(operation), &state, &same_log, operation->error);

  if (result != OUTBOX_SEEN)
    return result < 0 ? -1 : busy(operation->error);
  *moved = state.cursor.marked - aim->target.marked;
  if (!same_log || state.cursor.epoch != seen->epoch || state.cursor.marked < seen->marked)
    result = 1;
  else if (cursor_move_back(&state.cursor, &aim->target, clock_wall_ns()) != 0)
    result = cursor_check(&state.cursor, operation->error) == CURSOR_IMPOSSIBLE ? -1 : 1;
  else
    result =
        agent_state_store(outbox->agent_fd, &state, operation->project->sync, operation->error);
  if (result == 0 && aim->revived.count > 0)
    result = dead_letter_remove(outbox->agent_fd, &aim->revived, operation->project->sync,
                                operation->error);
  agent_lock_release(&outbox->lock);
  return result;
}

/* One try: 0, 1 to be tried again, -1. */
static int try_agent(struct operation *operation, const char *name) {
  struct aim aim = {0};
  struct dead_letter_ids dead = {0};
  struct agent_state state;
  const struct cursor *cursor = &state.cursor;
  struct outbox outbox;
  uint64_t moved = 0;
  int result = open_agent(operation, name, &outbox, &state);

  if (result != 0)
    return result < 0 ? -1 : 0;
  result = dead_letter_load_ids(outbox.agent_fd, &dead, operation->error);
  if (result == 0)
    result = operation->dead_only ? find_first_dead(&outbox, &dead, &aim, operation->error)
                                  : find_since(operation, &outbox, cursor, &aim);
  keep_held(cursor, &aim);
  if (result == 0 && (aim.marked < cursor->marked || cursor_check(cursor, NULL) != 0)) {
    result = survey(&outbox, cursor, &dead, &aim, operation->error);
    if (result == 0)
      result = move_back(operation, &outbox, cursor, &aim, &moved);
    if (result == 0) {
      operation->count += operation->dead_only ? aim.revived.count : moved;
      tell_publisher(operation->project, name);
    }
  }
  dead_letter_ids_fini(&aim.revived);
  dead_letter_ids_fini(&dead);
  outbox_close(&outbox);
  return result;
}

static int send_again(struct operation *operation, const char *name) {
  int result = 1;

  for (int i = 0; i < TRIES && result == 1; i++)
    result = try_agent(operation, name);
  if (result == 1)
    (void)busy(operation->error);
  return result == 0 ? 0 : -1;
}

static int assume_agent(struct operation *operation, const char *name) {
  struct agent_state state;
  struct outbox outbox;
  bool same_log;
  int result = open_agent(operation, name, &outbox, &state);

  if (result != 0)
    return result < 0 ? -1 : 0;
  result = outbox_lock_state(&outbox, deadline_of(operation), &state, &same_log, operation->error);
  if (result == OUTBOX_SEEN) {
    uint64_t released = cursor_release(&state.cursor);

    if (released > 0) {
      operation->count += released;
      result =
          agent_state_store(outbox.agent_fd, &state, operation->project->sync, operation->error);
    }
    agent_lock_release(&outbox.lock);
  } else if (result > 0) {
    result = busy(operation->error);
  }
  outbox_close(&outbox);
  return result;
}

/* An agent that cannot be handled hides no other: the rest is done, and then it is reported.  After
 * one lock that stayed busy, the waits for other agents' locks are short. */
static int visit_agent(void *ctx, const char *name) {
  struct operation *operation = ctx;
  int result = operation->deal_with(operation, name);

  if (result != 0 && operation->error->code == KAIZEN_E_BUSY &&
      operation->lock_timeout_ms > BRIEF_MS)
    operation->lock_timeout_ms = BRIEF_MS;
  if (result != 0 && !operation->failed) {
    error_prefix(operation->error, "%s", name);
    operation->failed = true;
    operation->first_error = *operation->error;
  }
  return operation->ended;
}

static int for_each_agent(struct operation *operation) {
  int result =
      project_each_agent(operation->project, true, visit_agent, operation, operation->error);

  if (result == 0 && operation->failed)
    *operation->error = operation->first_error;
  return result < 0 || operation->failed ? -1 : 0;
}

static int decide(struct operation *operation, uint64_t *count) {
  int fd, result = project_metrics_folder(operation->project, false, &fd, operation->error);

  if (result == 0) {
    (void)close(fd);
    result = project_identity(operation->project, operation->id, operation->error);
  }
  if (result == 0)
    result = for_each_agent(operation);
  *count = operation->count;
  return result < 0 ? -1 : 0; /* without a metrics folder there is nothing to do */
}

int delivery_resend(const struct project *project, int64_t since_unix_ns, int64_t lock_timeout_ms,
                    uint64_t *count, struct error *error) {
  struct operation operation = {.project = project,
                                .since_unix_ns = since_unix_ns,
                                .lock_timeout_ms = lock_timeout_ms,
                                .error = error,
                                .deal_with = send_again};

  return decide(&operation, count);
}

int delivery_assume_sent(const struct project *project, int64_t lock_timeout_ms, uint64_t *count,
                         struct error *error) {
  struct operation operation = {.project = project,
                                .lock_timeout_ms = lock_timeout_ms,
                                .error = error,
                                .deal_with = assume_agent};

  return decide(&operation, count);
}

int delivery_retry_dead_letters(const struct project *project, int64_t lock_timeout_ms,
                                uint64_t *count, struct error *error) {
  struct operation operation = {.project = project,
                                .lock_timeout_ms = lock_timeout_ms,
                                .dead_only = true,
                                .error = error,
                                .deal_with = send_again};

  return decide(&operation, count);
}

static int hand_out(void *ctx, const unsigned char id[16], struct span line) {
  struct operation *operation = ctx;

  (void)id;
  if (operation->sink(operation->sink_ctx, line.ptr, line.len) == 0)
    return 0;
  operation->ended = true;
  return error_set(operation->error, KAIZEN_E_ENDED, "the sink ended the output");
}

static int list_agent(struct operation *operation, const char *name) {
  int fd, result = project_agent_folder(operation->project, name, false, &fd, operation->error);

  if (result == 1)
    return 0;
  if (result == 0) {
    result = dead_letter_each(fd, hand_out, operation, operation->error);
    (void)close(fd);
  }
  return result;
}

int delivery_dead_letters(const struct project *project, kaizen_sink sink, void *ctx,
                          struct error *error) {
  struct operation operation = {
      .project = project, .error = error, .deal_with = list_agent, .sink = sink, .sink_ctx = ctx};

  return for_each_agent(&operation);
}
