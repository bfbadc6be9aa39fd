/* open_agents.c - the agents this recorder holds open.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder/open_agents.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

void open_agents_init(struct open_agents *agents, const struct recorder_options *options) {
  *agents = (struct open_agents){.options = options};
  (void)pthread_mutex_init(&agents->mutex, NULL);
}

static struct open_agent **bucket_of(struct open_agents *agents, const char *name) {
  return &agents->buckets[hash_bytes(name, strlen(name), 0) % OPEN_AGENTS_BUCKETS];
}

static struct open_agent *new_open_agent(const struct open_agents *agents, const char *name) {
  struct open_agent *open = calloc(1, sizeof *open);

  if (!open)
    return NULL;
  agent_init(&open->agent, agents->options->project, name);
  line_batch_init(&open->batch, agents->options);
  call_queue_init(&open->queue);
  return open;
}

static void free_open_agent(struct open_agent *open) {
  agent_close(&open->agent);
  line_batch_fini(&open->batch);
  call_queue_fini(&open->queue);
  free(open);
}

static void leave_idle_list(struct open_agents *agents, struct open_agent *open) {
  *(open->newer ? &open->newer->older : &agents->newest) = open->older;
  *(open->older ? &open->older->newer : &agents->oldest) = open->newer;
  open->newer = open->older = NULL;
  agents->idle--;
}

static void enter_idle_list(struct open_agents *agents, struct open_agent *open) {
  open->newer = NULL;
  open->older = agents->newest;
  *(agents->newest ? &agents->newest->newer : &agents->oldest) = open;
  agents->newest = open;
  agents->idle++;
}

/* Takes the least recently used idle agent out of the table, for the caller to free without the
 * mutex. */
static struct open_agent *remove_oldest(struct open_agents *agents) {
  struct open_agent *open = agents->oldest;
  struct open_agent **at = bucket_of(agents, open->agent.name);

  leave_idle_list(agents, open);
  while (*at != open)
    at = &(*at)->next_in_bucket;
  *at = open->next_in_bucket;
  return open;
}

struct open_agent *open_agents_take(struct open_agents *agents, const char *name) {
  struct open_agent **bucket = bucket_of(agents, name), *open;

  (void)pthread_mutex_lock(&agents->mutex);
  for (open = *bucket; open && strcmp(open->agent.name, name) != 0;)
    open = open->next_in_bucket;
  if (open) {
    if (open->users == 0)
      leave_idle_list(agents, open);
  } else if ((open = new_open_agent(agents, name)) != NULL) {
    open->next_in_bucket = *bucket;
    *bucket = open;
  }
  if (open)
    open->users++;
  (void)pthread_mutex_unlock(&agents->mutex);
  return open;
}

void open_agents_give_back(struct open_agents *agents, struct open_agent *open) {
  struct open_agent *surplus = NULL;

  (void)pthread_mutex_lock(&agents->mutex);
  if (--open->users == 0) {
    enter_idle_list(agents, open);
    if (agents->idle > OPEN_AGENTS_IDLE_MAX)
      surplus = remove_oldest(agents);
  }
  (void)pthread_mutex_unlock(&agents->mutex);
  if (surplus)
    free_open_agent(surplus);
}

void open_agents_close_idle(struct open_agents *agents) {
  struct open_agent *open;

  do {
    (void)pthread_mutex_lock(&agents->mutex);
    open = agents->oldest ? remove_oldest(agents) : NULL;
    (void)pthread_mutex_unlock(&agents->mutex);
    if (open)
      free_open_agent(open);
  } while (open);
}

void open_agents_fini(struct open_agents *agents) {
  open_agents_close_idle(agents);
  (void)pthread_mutex_destroy(&agents->mutex);
}
