/* broker_scene.c - a log with marked lines and the real publisher over it, moved on by hand.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker_scene.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "record/event.h"
#include "recorder/recorder.h"
#include "store/agent_log.h"

struct scene_event scene_events[SCENE_EVENTS];
static struct buffer log_text, state;
static int64_t now_ns;

static void read_events(void) {
  const char *at = log_text.data;

  for (size_t i = 0; i < SCENE_EVENTS; i++) {
    const char *stop = strchr(at, '\n');
    struct record record;
    struct error error;

    require(record_read((struct span){at, (size_t)(stop - at)}, &record, NULL) == RECORD_OK);
    require(record.marked);
    memcpy(scene_events[i].id, record.event_id, sizeof scene_events[i].id);
    buffer_clear(&scene_events[i].envelope);
    require(event_append_envelope(&record, &scene_events[i].envelope, &error) == 0);
    at = stop + 1;
  }
}

static void make_files(void) {
  struct recorder *recorder;
  char key[16];

  scratch_clear();
  recorder = scratch_recorder(false, 10, 0);
  for (int i = 0; i < SCENE_EVENTS; i++) {
    (void)snprintf(key, sizeof key, "event-%d", i);
    require(scratch_record(recorder, &(struct scratch_given){key, strlen(key), true,
                                                             SCRATCH_NOW_S}) == KAIZEN_RECORDED);
  }
  recorder_free(recorder);
  require(scratch_get(AGENT_LOG_FILE, &log_text) && scratch_get(".state", &state));
  buffer_append_byte(&log_text, '\0');
  log_text.len--;
  read_events();
}

void scene_set(void) {
  if (log_text.len == 0)
    make_files();
  scratch_put(AGENT_LOG_FILE, buffer_span(&log_text));
  scratch_put(".state", buffer_span(&state));
  scratch_remove(".dead-letter.jsonl");
  scratch_remove("../.doorbell");
  for (size_t i = 0; i < SCENE_EVENTS; i++) {
    scene_events[i].refused = scene_events[i].acknowledged = false;
    scene_events[i].sent = 0;
  }
}

struct scene_event *scene_event_of(const char *id) {
  for (size_t i = 0; i < SCENE_EVENTS; i++)
    if (strcmp(scene_events[i].id, id) == 0)
      return &scene_events[i];
  return NULL;
}

struct scene_event *scene_require_sent(const char *id, struct span payload) {
  struct scene_event *event = scene_event_of(id);

  require(event && span_equal(payload, buffer_span(&event->envelope)));
  event->sent++;
  return event;
}

struct publisher *scene_open(const struct transport_kind *kind, bool core) {
  const struct transport_settings settings = {.core = core,
                                              .url = "nats://127.0.0.1",
                                              .creds = "",
                                              .ca = "",
                                              .cert = "",
                                              .key = "",
                                              .stream = "ACTIVITY_EVENTS",
                                              .shown_url = "nats://127.0.0.1"};
  struct publisher *publisher = publisher_thread_new(kind, &settings, NULL);

  require(publisher != NULL);
  publisher->projects = publisher_project_new(scratch_project(), &publisher->mutex);
  require(publisher->projects != NULL);
  now_ns = clock_monotonic_ns();
  return publisher;
}

void scene_close(struct publisher *publisher) {
  publisher_flow_disconnect(&publisher->flow, publisher->projects);
  publisher_project_resign(publisher->projects, &publisher->flow.sender.window);
  publisher_project_free(publisher->projects);
  publisher_thread_free(publisher);
}

void scene_tick(struct publisher *publisher, int64_t ms) {
  now_ns += ms * 1000000;
  publisher_project_tick(publisher->projects, now_ns);
  require(!publisher->projects->resigning); /* nobody else would take over */
  publisher_flow_tick(&publisher->flow, publisher->projects, now_ns);
}

void scene_view(struct agent_view *view) {
  const struct agent_view_limits limits = agent_view_patience(5000);
  struct error error = {0};

  require(agent_view_read(scratch_project(), SCRATCH_AGENT, &limits, view, &error) == 0);
  require(view->fold.marked == SCENE_EVENTS);
  require(SCENE_EVENTS == view->acknowledged + view->pending + view->dead_lettered);
  require(view->held <= view->pending);
}
