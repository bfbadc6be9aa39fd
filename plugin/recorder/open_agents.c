/* open_agents.c - the agents a recorder holds open.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder/open_agents.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/hash.h"
#include "base/process.h"

#define AGENT_DESCRIPTORS 5
#define KEPT_MAX 1024 /* however many descriptors there are */
#define UNUSED_FOR_NS INT64_C(10000000000)

/* One list a process: idle agents of all recorders, by when they were last used. */
static struct process_state idle_state = PROCESS_STATE_INITIALIZER;
static struct open_agent *newest, *oldest;
static unsigned idle_count;
static pthread_cond_t closed = PTHREAD_COND_INITIALIZER; /* some table's `closing` fell to 0 */

/* The parent's recorders cannot be used here. */
static void forget_idle(void) {
  newest = oldest = NULL;
  idle_count = 0;
  (void)pthread_cond_init(&closed, NULL);
}

static void lock_tables(void) {
  process_state_lock(&idle_state, forget_idle);
}

static void unlock_tables(void) {
  process_state_unlock(&idle_state);
}

void open_agents_init(struct open_agents *agents, const struct recorder_options *options) {
  *agents = (struct open_agents){.options = options};
}

static struct open_agent **bucket_of(struct open_agents *agents, const char *name) {
  return &agents->buckets[hash_bytes(name, strlen(name), 0) % OPEN_AGENTS_BUCKETS];
}

static struct open_agent *new_open_agent(struct open_agents *agents, const char *name) {
  struct open_agent *open = calloc(1, sizeof *open);

  if (!open)
    return NULL;
  open->table = agents;
  agent_init(&open->agent, agents->options->project, name);
  line_batch_init(&open->batch, agents->options);
  call_queue_init(&open->queue);
  return open;
}

static void leave_idle_list(struct open_agent *open) {
  *(open->newer ? &open->newer->older : &newest) = open->older;
  *(open->older ? &open->older->newer : &oldest) = open->newer;
  open->newer = open->older = NULL;
  idle_count--;
}

static void enter_idle_list(struct open_agent *open) {
  open->newer = NULL;
  open->older = newest;
  *(newest ? &newest->newer : &oldest) = open;
  newest = open;
  idle_count++;
}

/* Removes an idle agent from its table, for the caller to free without the mutex. */
static struct open_agent *take_out(struct open_agent *open) {
  struct open_agent **at = bucket_of(open->table, open->agent.name);

  leave_idle_list(open);
  while (*at != open)
    at = &(*at)->next_in_bucket;
  *at = open->next_in_bucket;
  open->table->closing++;
  return open;
}

/* Of one that was taken out.  Its project lives until this is done: open_agents_fini() waits. */
static void free_open_agent(struct open_agent *open) {
  struct open_agents *table = open->table;

  agent_close(&open->agent);
  if (open->kept)
    descriptors_release(AGENT_DESCRIPTORS);
  line_batch_fini(&open->batch);
  call_queue_fini(&open->queue);
  free(open);
  lock_tables();
  if (--table->closing == 0)
    (void)pthread_cond_broadcast(&closed);
  unlock_tables();
}

struct open_agent *open_agents_take(struct open_agents *agents, const char *name) {
  struct open_agent **bucket = bucket_of(agents, name), *open;

  lock_tables();
  for (open = *bucket; open && strcmp(open->agent.name, name) != 0;)
    open = open->next_in_bucket;
  if (open) {
    if (open->users == 0)
      leave_idle_list(open);
  } else if ((open = new_open_agent(agents, name)) != NULL) {
    open->next_in_bucket = *bucket;
    *bucket = open;
  }
  if (open)
    open->users++;
  unlock_tables();
  return open;
}

/* Which idle agent to close; NULL: none.  When all were used a moment ago, there are more agents in
 * turn than can be kept open: then it is the newest, because closing the oldest each time would
 * close every one just before its turn. */
static struct open_agent *choose_surplus(struct open_agent *open, int64_t now_ns) {
  if (!open->kept && idle_count <= KEPT_MAX)
    open->kept = descriptors_keep(AGENT_DESCRIPTORS, 100);
  if (open->kept && idle_count <= KEPT_MAX)
    return NULL;
  return now_ns >= oldest->used_ns + UNUSED_FOR_NS ? oldest : newest;
}

void open_agents_give_back(struct open_agent *open) {
  struct open_agent *surplus = NULL;

  lock_tables();
  if (--open->users == 0) {
    open->used_ns = clock_monotonic_ns();
    enter_idle_list(open);
    surplus = choose_surplus(open, open->used_ns);
    if (surplus)
      (void)take_out(surplus);
    if (surplus && surplus != open && !open->kept) { /* the other one may stay open in its place */
      open->kept = surplus->kept;
      surplus->kept = false;
    }
  }
  unlock_tables();
  if (surplus)
    free_open_agent(surplus);
}

/* Of this table, or of every one where it is NULL. */
static void close_idle_of(const struct open_agents *agents) {
  struct open_agent *open;

  do {
    lock_tables();
    for (open = oldest; open && agents && open->table != agents;)
      open = open->newer;
    if (open)
      (void)take_out(open);
    unlock_tables();
    if (open && agents) /* the recorder ends */
      agent_settle(&open->agent);
    if (open)
      free_open_agent(open);
  } while (open);
}

void open_agents_close_idle(void) {
  close_idle_of(NULL);
}

void open_agents_fini(struct open_agents *agents) {
  close_idle_of(agents);
  lock_tables();
  while (agents->closing > 0)
    (void)pthread_cond_wait(&closed, &idle_state.mutex);
  unlock_tables();
}
