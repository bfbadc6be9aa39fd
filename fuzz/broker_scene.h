/* broker_scene.h - a log with marked lines and the real publisher over it, moved on by hand: no
 * thread, and a clock that the target sets.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_FUZZ_BROKER_SCENE_H
#define KAIZEN_FUZZ_BROKER_SCENE_H

#include "publisher/publisher_thread.h"
#include "scratch.h"
#include "store/agent_view.h"

#define SCENE_EVENTS 12

struct scene_event {
  char id[UUID_TEXT_SIZE];
  struct buffer envelope; /* what its line says */
  bool refused;           /* the broker may say so: it may become a dead letter */
  bool acknowledged;      /* the broker has said so */
  unsigned sent;          /* times, in this run */
};
extern struct scene_event scene_events[SCENE_EVENTS];

/* The files as they are after SCENE_EVENTS marked records of which none was sent. */
void scene_set(void);
struct scene_event *scene_event_of(const char *id); /* NULL: of no line */
/* What is sent is what the line says, whenever it is sent. */
struct scene_event *scene_require_sent(const char *id, struct span payload);

struct publisher *scene_open(const struct transport_kind *kind, bool core);
void scene_close(struct publisher *publisher);
/* One round, `ms` after the one before. */
void scene_tick(struct publisher *publisher, int64_t ms);
void scene_view(struct agent_view *view); /* requires what holds of every state: see there */

#endif
