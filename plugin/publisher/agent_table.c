/* agent_table.c - the agents of a project that its publisher has something to do for.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/agent_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define FIRST_BUCKETS 64

static struct publisher_agent **bucket_of(const struct agent_table *table, const char *name) {
  return &table->buckets[hash_bytes(name, strlen(name), 0) & (table->bucket_count - 1)];
}

struct publisher_agent *agent_table_find(const struct agent_table *table, const char *name) {
  struct publisher_agent *agent = table->buckets ? *bucket_of(table, name) : NULL;

  while (agent && strcmp(agent->name, name) != 0)
    agent = agent->next_in_bucket;
  return agent;
}

static void enter_bucket(struct agent_table *table, struct publisher_agent *agent) {
  struct publisher_agent **bucket = bucket_of(table, agent->name);

  agent->next_in_bucket = *bucket;
  *bucket = agent;
}

/* Without memory for more buckets the chains grow longer. */
static int make_room(struct agent_table *table) {
  size_t wanted = table->buckets ? table->bucket_count * 2 : FIRST_BUCKETS;
  struct publisher_agent **buckets;

  if (table->buckets && table->count < table->bucket_count)
    return 0;
  buckets = calloc(wanted, sizeof(struct publisher_agent *));
  if (!buckets)
    return table->buckets ? 0 : -1;
  free(table->buckets);
  table->buckets = buckets;
  table->bucket_count = wanted;
  for (struct publisher_agent *agent = table->first; agent; agent = agent->next)
    enter_bucket(table, agent);
  return 0;
}

static void append(struct agent_table *table, struct publisher_agent *agent) {
  agent->next = NULL;
  agent->previous = table->last;
  *(table->last ? &table->last->next : &table->first) = agent;
  table->last = agent;
}

static void take_out(struct agent_table *table, struct publisher_agent *agent) {
  *(agent->previous ? &agent->previous->next : &table->first) = agent->next;
  *(agent->next ? &agent->next->previous : &table->last) = agent->previous;
}

int agent_table_add(struct agent_table *table, struct publisher_agent *agent) {
  if (make_room(table) != 0)
    return -1;
  append(table, agent);
  enter_bucket(table, agent);
  table->count++;
  return 0;
}

void agent_table_remove(struct agent_table *table, struct publisher_agent *agent) {
  struct publisher_agent **at = bucket_of(table, agent->name);

  while (*at != agent)
    at = &(*at)->next_in_bucket;
  *at = agent->next_in_bucket;
  take_out(table, agent);
  table->count--;
}

void agent_table_rotate(struct agent_table *table) {
  struct publisher_agent *first = table->first;

  if (!first || !first->next)
    return;
  take_out(table, first);
  append(table, first);
}

void agent_table_fini(struct agent_table *table) {
  free(table->buckets);
  *table = (struct agent_table){0};
}
