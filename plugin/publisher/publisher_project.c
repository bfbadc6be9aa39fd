/* publisher_project.c - one project as a publisher sees it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/publisher_project.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/os_process.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define STAND_INTERVAL_NS NS_PER_S
#define STAND_WATCHED_NS (10 * NS_PER_S) /* idle, and one of many */
#define GRID_NS (250 * NS_PER_MS)        /* many projects that wake the thread wake it together */
#define SCAN_INTERVAL_NS (30 * NS_PER_S)
#define WITHOUT_SUCCESS_NS (10 * NS_PER_S)
#define AWAY_NS (15 * NS_PER_S)
#define AWAY_AT_LEAST_NS (3 * NS_PER_S) /* whoever stands by looks once a second */
#define AWAY_JITTER_NS (5 * NS_PER_S)
#define LISTEN_BUSY_NS (2 * NS_PER_MS)
#define LISTEN_IDLE_NS (50 * NS_PER_MS)
#define LISTEN_WATCHED_NS (10 * NS_PER_S) /* if the watch should miss something */
#define BUSY_FOR_NS NS_PER_S
#define LIVELY_FOR_NS (20 * NS_PER_MS)
#define STORE_AFTER_NS (50 * NS_PER_MS)
#define ASSERT_INTERVAL_NS (5 * NS_PER_MS)
#define CLOSE_AFTER_NS (2 * NS_PER_S)
#define OPEN_AGENTS_MAX 32 /* each costs four descriptors of the host */

struct publisher_project *publisher_project_new(const struct project *project,
                                                pthread_mutex_t *mutex) {
  struct publisher_project *made = calloc(1, sizeof *made);
  struct stat root;

  if (!made)
    return NULL;
  made->site.mutex = mutex;
  made->site.project = *project;
  made->metrics_fd = -1;
  made->watch_number = -1;
  doorbell_init(&made->doorbell);
  doorbell_button_init(&made->button);
  made->status.state = KAIZEN_PUBLISHER_CONNECTING;
  made->site.project.root = strdup(project->root);
  made->site.project.root_fd = fcntl(project->root_fd, F_DUPFD_CLOEXEC, 3);
  if (made->site.project.root && made->site.project.root_fd >= 0 &&
      fstat(project->root_fd, &root) == 0)
    made->site.election = election_join(&made->site.project);
  if (!made->site.election) {
    publisher_project_free(made);
    return NULL;
  }
  made->device = root.st_dev;
  made->inode = root.st_ino;
  return made;
}

void publisher_project_free(struct publisher_project *project) {
  if (project->site.election)
    election_leave(project->site.election, &project->site);
  doorbell_close(&project->doorbell);
  doorbell_button_close(&project->button);
  if (project->metrics_fd >= 0)
    (void)close(project->metrics_fd);
  project_close(&project->site.project);
  free(project);
}

struct publisher_agent *publisher_project_agent(struct publisher_project *project,
                                                const char *name) {
  struct publisher_agent *agent;
  int fd;

  for (agent = project->agents; agent; agent = agent->next)
    if (strcmp(agent->name, name) == 0)
      return agent;
  if (project_agent_folder(&project->site.project, name, false, &fd, NULL) != 0)
    return NULL;
  (void)close(fd);
  agent = publisher_agent_new(&project->site, name);
  if (!agent)
    return NULL; /* the next round finds it */
  agent->next = project->agents;
  project->agents = agent;
  return agent;
}

static void look_at(void *ctx, const char *name) {
  struct publisher_project *project = ctx;
  struct publisher_agent *agent = publisher_project_agent(project, name);

  project->busy_until_ns = clock_monotonic_ns() + BUSY_FOR_NS;
  if (agent)
    agent->look = agent->look_at_state = true;
}

static int look_at_each(void *ctx, const char *name) {
  struct publisher_agent *agent = publisher_project_agent(ctx, name);

  if (agent)
    agent->look = agent->look_at_state = true;
  return 0;
}

static void scan(struct publisher_project *project, int64_t now_ns) {
  (void)project_each_agent(&project->site.project, false, look_at_each, project, NULL);
  project->scan_ns = now_ns + SCAN_INTERVAL_NS;
}

bool publisher_project_in_flight(const struct publisher_project *project) {
  for (const struct publisher_agent *agent = project->agents; agent; agent = agent->next)
    if (agent->in_flight > 0)
      return true;
  return false;
}

bool publisher_project_pending(const struct publisher_project *project) {
  for (const struct publisher_agent *agent = project->agents; agent; agent = agent->next)
    if (agent->first)
      return true;
  return false;
}

bool publisher_project_serves(const struct publisher_project *project) {
  return project->elected && project->site.id_known && !project->resigning && !project->ending &&
         !project->site.lost;
}

bool publisher_project_may_send(struct publisher_project *project, int64_t now_ns) {
  if (now_ns < project->asserted_ns + ASSERT_INTERVAL_NS)
    return publisher_project_serves(project);
  project->asserted_ns = now_ns;
  return publisher_project_serves(project) && site_is_ours(&project->site);
}

static void forget_agents(struct publisher_project *project, struct window *window) {
  struct publisher_agent *agent, *next;

  for (agent = project->agents; agent; agent = next) {
    next = agent->next;
    (void)publisher_agent_store(agent);
    publisher_agent_free(agent, window);
  }
  project->agents = NULL;
}

/* The thread that hears rings compares it. */
static void set_watch_number(struct publisher_project *project, int number) {
  (void)pthread_mutex_lock(project->site.mutex);
  project->watch_number = number;
  (void)pthread_mutex_unlock(project->site.mutex);
}

void publisher_project_resign(struct publisher_project *project, struct window *window) {
  forget_agents(project, window);
  if (project->watch_number >= 0)
    os_watch_remove(project->watch, project->watch_number);
  set_watch_number(project, -1);
  doorbell_close(&project->doorbell);
  election_resign(project->site.election, &project->site);
  if (project->metrics_fd >= 0)
    (void)close(project->metrics_fd);
  project->metrics_fd = -1;
  project->elected = project->site.id_known = project->resigning = project->site.lost = false;
  project->site.waiting_since_ns = 0;
}

/* True when the folder is open and the one of that name.  It may come to be late, and be replaced:
 * restored, or removed and made again. */
static bool find_metrics(struct publisher_project *project) {
  struct stat named;
  int fd;

  if (project_metrics_folder(&project->site.project, false, &fd, NULL) != 0)
    fd = -1;
  if (fd >= 0 && fstat(fd, &named) != 0) {
    (void)close(fd);
    fd = -1;
  }
  if (fd >= 0 && project->metrics_fd < 0) {
    project->metrics_fd = fd;
    project->metrics_inode = named.st_ino;
    project->metrics_device = named.st_dev;
    return true;
  }
  if (fd >= 0)
    (void)close(fd);
  if (project->metrics_fd < 0)
    return false;
  if (fd >= 0 && named.st_ino == project->metrics_inode && named.st_dev == project->metrics_device)
    return true;
  project->resigning = true;
  return false;
}

/* Away after no success: for the whole time while somebody else publishes, for a few seconds when
 * nobody does. */
static bool is_away(struct publisher_project *project, int64_t now_ns) {
  if (now_ns >= project->away_until_ns)
    return false;
  project->holder = election_holder(project->site.election);
  return project->holder != 0 || now_ns < project->away_until_ns - AWAY_NS;
}

/* Stands for election; when elected already, asks whether that still holds. */
static void stand(struct publisher_project *project, int64_t now_ns) {
  struct error error = {0};
  int result;

  project->stand_ns = project->watch_number >= 0 && now_ns >= project->busy_until_ns
                          ? (now_ns + STAND_WATCHED_NS) / GRID_NS * GRID_NS
                          : now_ns + STAND_INTERVAL_NS;
  if (!find_metrics(project))
    return;
  if (!project->site.id_known)
    project->site.id_known =
        project_identity_look(&project->site.project, project->site.id, NULL) == 0;
  if (is_away(project, now_ns))
    return;
  result = election_stand(project->site.election, project->metrics_fd, &project->site,
                          &project->holder, &error);
  if (result < 0)
    site_say(&project->site, KAIZEN_LOG_WARNING, PUBLISHER_MESSAGE_AGENT_FAILED, "%s", error.text);
  election_want(project->site.election, &project->site, result != 0);
  if (result == 0 && !project->elected) {
    project->elected = true;
    scan(project, now_ns);
  } else if (result != 0 && project->elected) {
    project->resigning = true;
  }
}

/* The holder's own broker settings may be wrong, and somebody else's right. */
static void give_up_without_success(struct publisher_project *project, int64_t now_ns) {
  uint32_t random = 0;

  if (!publisher_project_pending(project)) {
    project->site.waiting_since_ns = 0;
    return;
  }
  if (project->site.waiting_since_ns == 0)
    project->site.waiting_since_ns = now_ns;
  if (now_ns < project->site.waiting_since_ns + WITHOUT_SUCCESS_NS)
    return;
  project->site.waiting_since_ns = now_ns;
  if (!election_wanted(project->site.election, &project->site))
    return;
  site_say(&project->site, KAIZEN_LOG_NOTICE, PUBLISHER_MESSAGE_GAVE_UP,
           "no event was acknowledged for %d seconds: another process may try",
           (int)(WITHOUT_SUCCESS_NS / NS_PER_S));
  project->resigning = true;
  (void)os_process_random(&random, sizeof random);
  project->away_until_ns =
      now_ns + AWAY_NS + AWAY_AT_LEAST_NS + (int64_t)(random % 1000u) * (AWAY_JITTER_NS / 1000);
}

static int ring_for(void *ctx, const char *name) {
  struct publisher_project *project = ctx;

  doorbell_ring(&project->button, &project->site.project, name);
  return 0;
}

/* What instances of this process committed: to be read by us, or to be told to who is elected. */
static void take_dirty(struct publisher_project *project, int64_t now_ns) {
  char names[PUBLISHER_DIRTY_MAX][AGENT_NAME_MAX + 1];
  unsigned count;
  bool all;

  (void)pthread_mutex_lock(project->site.mutex);
  count = project->dirty_count;
  all = project->all_dirty;
  memcpy(names, project->dirty, count * sizeof names[0]);
  project->dirty_count = 0;
  project->all_dirty = false;
  if (project->rung && !project->site.id_known)
    project->stand_ns = now_ns; /* the first to record made .id */
  if (project->rung)
    project->listen_ns = now_ns;
  project->rung = false;
  project->site.durable = project->sync;
  (void)pthread_mutex_unlock(project->site.mutex);
  if (count == 0)
    return;
  project->busy_until_ns = now_ns + BUSY_FOR_NS;
  project->lively_until_ns = now_ns + LIVELY_FOR_NS;
  if (!project->elected || !project->site.id_known)
    stand(project, now_ns);
  for (unsigned i = 0; i < count; i++) {
    struct publisher_agent *agent =
        project->elected ? publisher_project_agent(project, names[i]) : NULL;

    if (agent)
      agent->look = true;
    if (!project->elected)
      doorbell_ring(&project->button, &project->site.project, names[i]);
  }
  if (all && project->elected)
    scan(project, now_ns);
  if (all && !project->elected)
    (void)project_each_agent(&project->site.project, false, ring_for, project, NULL);
}

static void store_progress(struct publisher_project *project, int64_t now_ns) {
  unsigned open = 0;

  for (struct publisher_agent *agent = project->agents; agent; agent = agent->next) {
    bool idle = !agent->first && !agent->look;

    if (agent->progress && now_ns >= agent->store_after_ns &&
        (idle || now_ns >= agent->progress->since_ns + STORE_AFTER_NS))
      (void)publisher_agent_store(agent);
    if (agent->outbox.agent_fd < 0 || agent->first || agent->progress)
      continue;
    if (++open > OPEN_AGENTS_MAX || (idle && now_ns >= agent->used_ns + CLOSE_AFTER_NS))
      publisher_agent_close(agent);
  }
}

/* From then on a ring is heard at once, and nothing needs to be done by the clock to hear it. */
static void watch_doorbell(struct publisher_project *project, int64_t now_ns) {
  int number = os_watch_add(project->watch, project->metrics_fd);

  set_watch_number(project, number >= 0 ? number : -2);
  project->listen_ns = now_ns; /* what rang before */
}

static void listen(struct publisher_project *project, int64_t now_ns) {
  if (project->watch && project->watch_number == -1)
    watch_doorbell(project, now_ns);
  if (now_ns < project->listen_ns)
    return;
  if (doorbell_listen(&project->doorbell, project->metrics_fd, look_at, project))
    scan(project, now_ns);
  if (project->watch_number >= 0)
    project->listen_ns = (now_ns + LISTEN_WATCHED_NS) / GRID_NS * GRID_NS;
  else
    project->listen_ns =
        now_ns + (now_ns < project->busy_until_ns ? LISTEN_BUSY_NS : LISTEN_IDLE_NS);
}

void publisher_project_tick(struct publisher_project *project, int64_t now_ns) {
  if (now_ns >= project->stand_ns)
    stand(project, now_ns);
  take_dirty(project, now_ns);
  if (project->site.lost)
    project->resigning = true;
  if (!project->elected || project->resigning)
    return;
  listen(project, now_ns);
  if (now_ns >= project->scan_ns)
    scan(project, now_ns);
  store_progress(project, now_ns);
  give_up_without_success(project, now_ns);
}

int64_t publisher_project_next_ns(const struct publisher_project *project, int64_t now_ns) {
  int64_t next_ns = project->stand_ns;

  if (!project->elected)
    return next_ns;
  if (project->listen_ns < next_ns)
    next_ns = project->listen_ns;
  for (const struct publisher_agent *agent = project->agents; agent; agent = agent->next) {
    int64_t store_ns = agent->progress ? agent->progress->since_ns + STORE_AFTER_NS : next_ns;

    if (store_ns < agent->store_after_ns)
      store_ns = agent->store_after_ns;
    if (store_ns < next_ns)
      next_ns = store_ns;
  }
  return next_ns > now_ns ? next_ns : now_ns;
}
