/* survey_memory.c - what is remembered from one look at all agents of a project to the next.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/survey_memory.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "store/project_identity.h"

#define FRESH_AGENTS 256 /* so many are read in a walk, whatever is known of them */
/* A file that was written within that time may be written again without looking different: file
 * systems count time in steps of some milliseconds. */
#define SETTLED_AFTER_NS INT64_C(100000000)
#define VAIN_FOR_NS INT64_C(1000000000)
#define VAIN_PLACES 16 /* that an agent may have of those */
#define BRIEF_NS INT64_C(10000000)

struct settled {
  uint64_t stamp; /* of its files: outbox_glance.h */
  struct settled_agent agent;
};

void survey_memory_init(struct survey_memory *memory) {
  *memory = (struct survey_memory){.settled = {.value_bytes = sizeof(struct settled)}};
  atomic_init(&memory->waited_in_vain_ns, -VAIN_FOR_NS);
  (void)pthread_mutex_init(&memory->mutex, NULL);
}

void survey_memory_fini(struct survey_memory *memory) {
  name_table_fini(&memory->settled);
  (void)pthread_mutex_destroy(&memory->mutex);
}

/* ---- locks ----------------------------------------------------------------------------------- */

/* The agent's place, else one that is free or has expired, else its first. */
static struct vain_wait *find_vain(struct survey_memory *memory, uint64_t name, int64_t now_ns) {
  struct vain_wait *found = NULL;

  for (unsigned i = 0; i < VAIN_PLACES; i++) {
    struct vain_wait *place = &memory->vain[(name + i) % SURVEY_MEMORY_VAIN];

    if (place->name == name)
      return place;
    if (!found && place->until_ns <= now_ns)
      found = place;
  }
  return found ? found : &memory->vain[name % SURVEY_MEMORY_VAIN];
}

void survey_memory_waited_in_vain(struct survey_memory *memory, const char *agent) {
  uint64_t name = hash_bytes(agent, strlen(agent), 0);
  int64_t now_ns = clock_monotonic_ns();

  atomic_store(&memory->waited_in_vain_ns, now_ns);
  (void)pthread_mutex_lock(&memory->mutex);
  *find_vain(memory, name, now_ns) =
      (struct vain_wait){.name = name, .until_ns = now_ns + VAIN_FOR_NS};
  (void)pthread_mutex_unlock(&memory->mutex);
}

bool survey_memory_was_in_vain(struct survey_memory *memory, const char *agent) {
  uint64_t name = hash_bytes(agent, strlen(agent), 0);
  int64_t now_ns = clock_monotonic_ns();
  const struct vain_wait *place;
  bool vain;

  (void)pthread_mutex_lock(&memory->mutex);
  place = find_vain(memory, name, now_ns);
  vain = place->name == name && now_ns < place->until_ns;
  (void)pthread_mutex_unlock(&memory->mutex);
  return vain;
}

int64_t survey_memory_patience(struct survey_memory *memory, int64_t patience_ns) {
  int64_t now_ns = clock_monotonic_ns();
  bool brief = now_ns < atomic_load(&memory->waited_in_vain_ns) + VAIN_FOR_NS;

  return now_ns + (brief && patience_ns > BRIEF_NS ? BRIEF_NS : patience_ns);
}

/* ---- agents with nothing pending ------------------------------------------------------------- */

/* In a tree with another id all events are held back: nothing is settled any more. */
void survey_memory_begin(struct survey_walk *walk, struct survey_memory *memory,
                         const struct project *project) {
  unsigned char id[PROJECT_ID_SIZE] = {0};

  *walk = (struct survey_walk){.memory = memory, .metrics_fd = -1};
  if (!memory)
    return;
  if (project_identity_look(project, id, NULL) != 0 ||
      project_metrics_folder(project, false, &walk->metrics_fd, NULL) != 0) {
    walk->memory = NULL;
    return;
  }
  (void)pthread_mutex_lock(&memory->mutex);
  if (memcmp(memory->project_id, id, sizeof id) != 0)
    name_table_fini(&memory->settled);
  memcpy(memory->project_id, id, sizeof id);
  (void)pthread_mutex_unlock(&memory->mutex);
}

bool survey_memory_next(struct survey_walk *walk, const char *agent, struct settled_agent *found) {
  struct survey_memory *memory = walk->memory;
  const struct settled *settled;
  bool known;

  walk->has_glance = memory && walk->seen++ >= FRESH_AGENTS &&
                     outbox_glance_take(walk->metrics_fd, agent, &walk->glance) == 0;
  if (!walk->has_glance)
    return false;
  (void)pthread_mutex_lock(&memory->mutex);
  settled = name_table_find(&memory->settled, (struct span){agent, strlen(agent)});
  known = settled && settled->stamp == walk->glance.stamp;
  if (known)
    *found = settled->agent;
  (void)pthread_mutex_unlock(&memory->mutex);
  return known;
}

void survey_memory_keep(struct survey_walk *walk, const char *agent,
                        const struct agent_view *view) {
  struct survey_memory *memory = walk->memory;
  struct settled *settled;

  if (!walk->has_glance || view->impossible || view->acknowledged != view->fold.marked ||
      clock_wall_ns() - SETTLED_AFTER_NS < walk->glance.modified_unix_ns)
    return;
  (void)pthread_mutex_lock(&memory->mutex);
  settled = name_table_put(&memory->settled, (struct span){agent, strlen(agent)});
  if (settled)
    *settled = (struct settled){
        .stamp = walk->glance.stamp,
        .agent = {.acknowledged = view->acknowledged,
                  .last_acknowledged_unix_ns = view->state.last_acknowledged_unix_ns}};
  (void)pthread_mutex_unlock(&memory->mutex);
}

void survey_memory_end(struct survey_walk *walk) {
  if (walk->metrics_fd >= 0)
    (void)close(walk->metrics_fd);
}
