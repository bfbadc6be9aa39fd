/* project_agents.c - a project's agents as its publisher sees them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/project_agents.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/outbox_glance.h"

#define NS_PER_MS INT64_C(1000000)
#define STORE_AFTER_NS (50 * NS_PER_MS)
#define CLOSE_AFTER_NS (2000 * NS_PER_MS)
#define LOCK_WAIT_NS (20 * NS_PER_MS)    /* per round, for the locks of all agents together */
#define FORGET_WAIT_NS (200 * NS_PER_MS) /* the same, at the end */
#define OPEN_AGENTS_MAX 32               /* each uses four of the host's descriptors */
#define SCAN_SLICE_NS (2 * NS_PER_MS)
#define NAMES_AT_A_TIME 16 /* between two looks at the clock */
#define UNREAD_MAX 512     /* a scan waits for these to be read */

void project_agents_init(struct project_agents *agents, struct site *site) {
  *agents = (struct project_agents){.site = site};
  rest_table_init(&agents->rest);
}

/* NULL: there is no such folder, or no memory; the next look at all agents finds it. */
static struct publisher_agent *find_or_add(struct project_agents *agents, const char *name) {
  struct publisher_agent *agent = agent_table_find(&agents->table, name);
  int fd = -1;

  if (agent)
    return agent;
  if (project_agent_folder(&agents->site->project, name, false, &fd, NULL) == 1)
    return NULL;
  if (fd >= 0)
    (void)close(fd);
  agent = publisher_agent_new(agents->site, name);
  if (agent && agent_table_add(&agents->table, agent) != 0) {
    publisher_agent_free(agent, NULL);
    return NULL;
  }
  if (agent)
    agent->token = rest_table_token(&agents->rest, name);
  return agent;
}

void project_agents_look_at(struct project_agents *agents, const char *name, bool state) {
  struct publisher_agent *agent = find_or_add(agents, name);

  if (!agent)
    return;
  agent->look = true;
  agent->look_at_state |= state;
}

/* ---- at rest --------------------------------------------------------------------------------- */

/* Is there nothing to send of the agent until its files change?  `agent` is NULL when it is not in
 * the table.  *glance is from before anything was read. */
static bool has_nothing(const struct project_agents *agents, const char *name,
                        const struct publisher_agent *agent, const struct outbox_glance *glance) {
  struct agent_state state;
  int result;

  if (!glance->has_log || !glance->has_state)
    return true;
  result = outbox_glance_state(&agents->site->project, name, &state);
  if (result != 0) /* where there is none to trust, the publisher has already looked */
    return result == 1 && agent && !agent->place.known;
  if (memcmp(state.project_id, agents->site->id, PROJECT_ID_SIZE) != 0)
    return true;
  if (agent && agent->place.known)
    return state.cursor.epoch == agent->place.epoch && glance->inode == agent->place.inode &&
           glance->device == agent->place.device && glance->size == agent->place.read_end;
  return outbox_glance_is_through(&agents->site->project, name, glance, &state);
}

/* Lines that came without a ring are read now, not with the next look at all agents. */
static void put_to_rest(struct project_agents *agents, struct publisher_agent *agent,
                        int metrics_fd, int64_t now_ns) {
  struct outbox_glance glance;

  agent->used_ns = now_ns;
  if (outbox_glance_take(metrics_fd, agent->name, &glance) != 0 ||
      !has_nothing(agents, agent->name, agent, &glance)) {
    agent->look = agent->look_at_state = true;
    return;
  }
  rest_table_put(&agents->rest, agent->name, glance.stamp, agent->token);
  agent_table_remove(&agents->table, agent);
  publisher_agent_free(agent, NULL);
}

/* ---- a look at all of them ------------------------------------------------------------------- */

static int take_name(void *ctx, const char *name) {
  struct project_agents *agents = ctx;

  buffer_append(&agents->scan_names, name, strlen(name) + 1);
  return 0;
}

void project_agents_scan(struct project_agents *agents) {
  int64_t begin_ns = clock_monotonic_ns();

  if (agents->scan_next < agents->scan_names.len) {
    agents->scan_again = true;
    return;
  }
  agents->scan_again = false;
  buffer_clear(&agents->scan_names);
  (void)project_each_agent(&agents->site->project, false, take_name, agents, NULL);
  agents->scan_next = 0;
  agents->scan_spent_ns = clock_monotonic_ns() - begin_ns;
}

static void visit(struct project_agents *agents, int metrics_fd, const char *name) {
  struct publisher_agent *agent = agent_table_find(&agents->table, name);
  struct outbox_glance glance;

  if (!agent && outbox_glance_take(metrics_fd, name, &glance) == 0) {
    if (rest_table_has(&agents->rest, name, glance.stamp))
      return;
    if (has_nothing(agents, name, NULL, &glance)) {
      rest_table_put(&agents->rest, name, glance.stamp, rest_table_token(&agents->rest, name));
      return;
    }
  }
  project_agents_look_at(agents, name, true);
}

bool project_agents_scans(const struct project_agents *agents) {
  return agents->scan_next < agents->scan_names.len && agents->unread < UNREAD_MAX;
}

bool project_agents_scan_on(struct project_agents *agents, int metrics_fd, int64_t now_ns) {
  struct buffer *names = &agents->scan_names;
  int64_t begin_ns = clock_monotonic_ns(), end_ns = now_ns + SCAN_SLICE_NS;

  if (!project_agents_scans(agents))
    return false;
  do
    for (int i = 0; i < NAMES_AT_A_TIME && agents->scan_next < names->len; i++) {
      const char *name = names->data + agents->scan_next;

      visit(agents, metrics_fd, name);
      agents->scan_next += strlen(name) + 1;
    }
  while (agents->scan_next < names->len && clock_monotonic_ns() < end_ns);
  agents->scan_spent_ns += clock_monotonic_ns() - begin_ns;
  if (agents->scan_next < names->len)
    return false;
  buffer_fini(names);
  agents->scan_next = 0;
  if (agents->scan_again)
    project_agents_scan(agents);
  return agents->scan_names.len == 0;
}

/* ---- those in the table ---------------------------------------------------------------------- */

/* Nothing of it is in flight, and nothing is known of it that is not in its files. */
static bool is_idle(const struct publisher_agent *agent) {
  return !agent->first && !agent->look && !agent->replace && !agent->progress && !agent->failed &&
         !agent->unsynced && agent->unacknowledged == 0 && agent->stores_lost == 0;
}

void project_agents_tend(struct project_agents *agents, int metrics_fd, int64_t now_ns) {
  int64_t lock_deadline_ns = now_ns + LOCK_WAIT_NS;
  struct publisher_agent *agent, *next;
  unsigned open = 0;

  agents->unread = 0;
  for (agent = agents->table.first; agent; agent = next) {
    const struct publisher_progress *progress = agent->progress;
    bool unread = agent->look || agent->replace;
    bool idle = !agent->first && !unread;

    next = agent->next;
    agents->unread += unread && now_ns >= agent->not_before_ns;
    if (progress && now_ns >= agent->store_after_ns &&
        (idle || now_ns >= progress->since_ns + STORE_AFTER_NS)) {
      (void)publisher_agent_store(agent, lock_deadline_ns);
      kept_outbox_settle(&agent->log);
    }
    if (kept_outbox_is_open(&agent->log) &&
        (++open > OPEN_AGENTS_MAX || (idle && now_ns >= agent->used_ns + CLOSE_AFTER_NS)))
      kept_outbox_close(&agent->log);
    if (!kept_outbox_is_open(&agent->log) && is_idle(agent) &&
        (agents->table.count > OPEN_AGENTS_MAX || now_ns >= agent->used_ns + CLOSE_AFTER_NS))
      put_to_rest(agents, agent, metrics_fd, now_ns);
  }
}

int64_t project_agents_next_ns(const struct project_agents *agents, int64_t latest_ns) {
  if (project_agents_scans(agents))
    return 0;
  for (const struct publisher_agent *agent = agents->table.first; agent; agent = agent->next) {
    const struct publisher_progress *progress = agent->progress;
    int64_t store_ns = progress ? progress->since_ns + STORE_AFTER_NS : latest_ns;

    if (progress && agent->store_after_ns > store_ns)
      store_ns = agent->store_after_ns;
    if (store_ns < latest_ns)
      latest_ns = store_ns;
  }
  return latest_ns;
}

bool project_agents_in_flight(const struct project_agents *agents) {
  for (const struct publisher_agent *agent = agents->table.first; agent; agent = agent->next)
    if (agent->in_flight > 0)
      return true;
  return false;
}

bool project_agents_pending(const struct project_agents *agents) {
  for (const struct publisher_agent *agent = agents->table.first; agent; agent = agent->next)
    if (agent->first)
      return true;
  return false;
}

void project_agents_forget(struct project_agents *agents, struct window *window) {
  int64_t lock_deadline_ns = clock_monotonic_ns() + FORGET_WAIT_NS;
  struct publisher_agent *agent, *next;

  for (agent = agents->table.first; agent; agent = next) {
    next = agent->next;
    (void)publisher_agent_store(agent, lock_deadline_ns);
    publisher_agent_free(agent, window);
  }
  agent_table_fini(&agents->table);
  rest_table_fini(&agents->rest);
  buffer_fini(&agents->scan_names);
  project_agents_init(agents, agents->site);
}
