/* fuzz_cursor.c - any cursor in .state: what is sent is of the log, once and in its order; it ends;
 * and an operator can have everything sent again.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * First byte: how; then the members of the state.  An id is the number of its line, or of none. */
#include <fcntl.h>
#include <kaizen/plugin.h>
#include <string.h>
#include <unistd.h>

#include "broker_scene.h"
#include "store/delivery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
  FOREIGN_TREE = 1, /* the state belongs to another tree */
  NO_STATE = 2,
  ASSUMED = 4, /* the operator says that what is held was sent */
  ROUNDS = 64,
};

/* ---- a broker that acknowledges everything at once --------------------------------------------
 */

static struct transport_answer answers[SCENE_EVENTS];
static size_t answer_count;
static uint64_t sequence;
static const struct scene_event *last_sent;

static struct transport *open_honest(const struct transport_settings *settings, transport_wake wake,
                                     void *ctx, struct transport_trouble *trouble) {
  (void)settings;
  (void)wake;
  (void)trouble;
  answer_count = 0;
  return ctx; /* any address will do */
}

static void close_honest(struct transport *transport) {
  (void)transport;
}

static bool is_connected(struct transport *transport, struct transport_trouble *trouble) {
  (void)transport;
  (void)trouble;
  return true;
}

static enum transport_sent send_to_honest(struct transport *transport, uint64_t ticket,
                                          const char *id, struct span payload,
                                          struct transport_trouble *trouble) {
  const struct scene_event *event = scene_require_sent(id, payload);

  (void)transport;
  (void)trouble;
  require(event->sent == 1 && (!last_sent || event > last_sent));
  last_sent = event;
  require(answer_count < SCENE_EVENTS);
  answers[answer_count++] = (struct transport_answer){
      .ticket = ticket, .outcome = TRANSPORT_ACKNOWLEDGED, .sequence = ++sequence};
  return TRANSPORT_SENT;
}

static void flush_honest(struct transport *transport) {
  (void)transport;
}

static void why_honest(struct transport *transport, struct transport_trouble *trouble) {
  (void)transport;
  (void)trouble;
}

static int useless_honest(struct transport *transport, struct transport_trouble *trouble) {
  (void)transport;
  (void)trouble;
  return 0;
}

static int holds_honest(struct transport *transport, uint64_t at, const char *id) {
  (void)transport;
  (void)at;
  (void)id;
  return 1;
}

static size_t answers_of_honest(struct transport *transport, struct transport_answer *out,
                                size_t max, struct transport_trouble *trouble) {
  size_t count = answer_count < max ? answer_count : max;

  (void)transport;
  (void)trouble;
  memcpy(out, answers, count * sizeof *out);
  answer_count = 0;
  return count;
}

static const struct transport_kind honest = {.open = open_honest,
                                             .close = close_honest,
                                             .connected = is_connected,
                                             .send = send_to_honest,
                                             .flush = flush_honest,
                                             .why = why_honest,
                                             .useless = useless_honest,
                                             .holds = holds_honest,
                                             .answers = answers_of_honest};

/* ---- the state --------------------------------------------------------------------------------
 */

/* At most 2^48: what nothing can have counted to is not a number that a state can hold. */
static void take_number(struct input *input, uint64_t *number) {
  switch (input_byte(input) % 4) {
  case 1:
    *number = input_byte(input);
    break;
  case 2:
    *number = input_number(input, 6);
    break;
  case 3:
    *number += input_byte(input);
    break;
  default:
    break;
  }
}

static void take_id(struct input *input, unsigned char id[16]) {
  uint8_t which = input_byte(input);

  memset(id, which, 16);
  if (which < SCENE_EVENTS)
    uuid_pack(scene_events[which].id, id);
}

/* The cursor stands at a line of the log, or at one that somebody's rewriting took; where that is
 * in the file is a hint, and what is after it may be held. */
static void take_state(struct input *input, struct agent_state *real) {
  uint64_t time = 0;

  real->cursor.marked = input_byte(input) % (SCENE_EVENTS + 1);
  real->cursor.recent_count = input_byte(input) % (CURSOR_RECENT + 1);
  for (uint32_t i = 0; i < real->cursor.recent_count; i++)
    take_id(input, real->cursor.recent[i]);
  if (real->cursor.marked == 0)
    real->cursor.recent_count = 0;
  else if (real->cursor.recent_count == 0)
    real->cursor.recent_count = 1;
  if (input_byte(input) % 2 == 0 && real->cursor.marked > 0)
    uuid_pack(scene_events[real->cursor.marked - 1].id, real->cursor.recent[0]);
  if (real->cursor.marked > 0)
    take_number(input, &real->cursor.end);
  real->cursor.held_count = input_byte(input) % (real->cursor.marked + 1);
  real->cursor.held_from_marked =
      input_byte(input) % (real->cursor.marked - real->cursor.held_count + 1);
  take_number(input, &real->cursor.held_from_end);
  take_id(input, real->cursor.held_from_id);
  real->cursor.dead_lettered =
      input_byte(input) % (real->cursor.marked - real->cursor.held_count + 1);
  take_number(input, &real->lost_by_rewrite);
  take_number(input, &real->last_stream_seq);
  take_number(input, &real->cursor.epoch);
  take_number(input, &real->sequence);
  take_number(input, &time);
  real->last_acknowledged_unix_ns = (int64_t)time;
  real->cursor.mark_count = input_byte(input) % (CURSOR_MARKS + 1);
  for (uint32_t i = 0; i < real->cursor.mark_count; i++) {
    real->cursor.marks[i].time_s = (int64_t)input_number(input, 4);
    take_id(input, real->cursor.marks[i].id);
  }
}

static void put_state(struct input *input, unsigned how) {
  struct agent_state state;
  struct error error;
  bool damaged;
  int fd;

  require(project_agent_folder(scratch_project(), SCRATCH_AGENT, false, &fd, &error) == 0);
  require(agent_state_load(fd, &state, &damaged, &error) == 0);
  if (how & FOREIGN_TREE)
    state.project_id[0] ^= 1;
  take_state(input, &state);
  scratch_remove(".state");
  if (!(how & NO_STATE))
    require(agent_state_store(fd, &state, false, &error) == 0);
  (void)close(fd);
}

/* ---- */

static void send_all(void) {
  struct publisher *publisher = scene_open(&honest, false);
  struct agent_view view;

  last_sent = NULL;
  for (size_t i = 0; i < SCENE_EVENTS; i++)
    scene_events[i].sent = 0;
  for (int i = 0; i < ROUNDS; i++)
    scene_tick(publisher, 100);
  scene_close(publisher);
  scene_view(&view);
  require(view.pending == view.held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size};
  struct error error = {0};
  unsigned how;
  uint64_t count;
  struct agent_view view;

  scene_set();
  how = input_byte(&input);
  put_state(&input, how);
  scene_view(&view);
  send_all();
  if (how & ASSUMED) {
    require(delivery_assume_sent(scratch_project(), 5000, &count, &error) == 0);
    scene_view(&view);
    require(view.pending == 0);
  }
  require(delivery_resend(scratch_project(), 0, 5000, &count, &error) == 0);
  scene_view(&view);
  require(view.held == 0);
  send_all();
  scene_view(&view);
  require(view.pending == 0);
  for (size_t i = 0; i < SCENE_EVENTS; i++)
    require(scene_events[i].sent == 1);
  return 0;
}
