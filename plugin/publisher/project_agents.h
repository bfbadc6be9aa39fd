/* project_agents.h - a project's agents as its publisher sees them: found, served, put to rest.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * An agent with something to send stands in the table, with all that is known of it; one without is
 * at rest, and costs a few bytes.  What is done for all agents is done in slices, so that one agent
 * that rings does not wait for a hundred thousand others.  The publisher's thread only. */
#ifndef KAIZEN_PROJECT_AGENTS_H
#define KAIZEN_PROJECT_AGENTS_H

#include "publisher/agent_table.h"
#include "publisher/rest_table.h"

struct project_agents {
  struct site *site;
  struct agent_table table;
  struct rest_table rest;
  struct buffer scan_names; /* of a look at all agents: names, each with its NUL, */
  size_t scan_next;         /* and how far it got */
  bool scan_again;          /* somebody asked for one meanwhile */
  int64_t scan_spent_ns;    /* how long the last one, or this one, took */
  unsigned unread;          /* agents that wait for the window, or the broker, to be read */
};

void project_agents_init(struct project_agents *agents, struct site *site);
/* Something was committed for the agent, or its cursor moved (`state`): read what there is. */
void project_agents_look_at(struct project_agents *agents, const char *name, bool state);

/* Begins a look at all agents; one that has begun continues. */
void project_agents_scan(struct project_agents *agents);
/* A slice of it.  True: it came to its end with that. */
bool project_agents_scan_on(struct project_agents *agents, int metrics_fd, int64_t now_ns);
/* Is there more to do at once? */
bool project_agents_scans(const struct project_agents *agents);

/* Stores progress, closes what is idle, puts to rest what has nothing to send. */
void project_agents_tend(struct project_agents *agents, int metrics_fd, int64_t now_ns);
/* When that is to be done next, `latest_ns` at the latest. */
int64_t project_agents_next_ns(const struct project_agents *agents, int64_t latest_ns);
bool project_agents_in_flight(const struct project_agents *agents);
bool project_agents_pending(const struct project_agents *agents); /* events are known to wait */
/* Stores what can be stored, forgets everything; nothing of it in flight. */
void project_agents_forget(struct project_agents *agents, struct window *window);

#endif
