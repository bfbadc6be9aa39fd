/* publisher_project.c - one project as a publisher sees it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/publisher_project.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/hash.h"
#include "base/os_process.h"
#include "publisher/site_identity.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define STAND_INTERVAL_NS NS_PER_S
#define STAND_WATCHED_NS (10 * NS_PER_S) /* idle, and one of many */
#define GRID_NS (250 * NS_PER_MS)        /* many projects wake the thread together */
#define SCAN_INTERVAL_NS (30 * NS_PER_S)
#define SCAN_PAUSE 50 /* times the duration of a look at all agents */
#define DIRTY_BYTES_MAX (64u << 10)
#define WITHOUT_SUCCESS_NS (10 * NS_PER_S)
#define AWAY_NS (15 * NS_PER_S)
#define AWAY_AT_LEAST_NS (3 * NS_PER_S) /* a standby looks once a second */
#define AWAY_JITTER_NS (5 * NS_PER_S)
#define LISTEN_BUSY_NS (2 * NS_PER_MS)
#define LISTEN_IDLE_NS (50 * NS_PER_MS)
#define LISTEN_WATCHED_NS (10 * NS_PER_S) /* in case the watch misses something */
#define BUSY_FOR_NS NS_PER_S
#define LIVELY_FOR_NS (20 * NS_PER_MS)
#define KEPT_DESCRIPTORS 2 /* of the metrics folder and the doorbell */
#define KEEP_PERCENT 75    /* the rest is for recorders */
#define ASSERT_INTERVAL_NS (5 * NS_PER_MS)

struct publisher_project *publisher_project_new(const struct project *project,
                                                pthread_mutex_t *mutex) {
  struct publisher_project *made = calloc(1, sizeof *made);
  struct stat root;

  if (!made)
    return NULL;
  made->site.mutex = mutex;
  project_agents_init(&made->agents, &made->site);
  made->metrics_fd = -1;
  made->watch_number = -1;
  doorbell_init(&made->doorbell);
  doorbell_button_init(&made->button);
  made->status.state = KAIZEN_PUBLISHER_CONNECTING;
  if (project_share(project, &made->site.project) == 0 && fstat(project->root_fd, &root) == 0)
    made->site.election = election_join(&made->site.project);
  if (!made->site.election) {
    publisher_project_free(made);
    return NULL;
  }
  made->device = root.st_dev;
  made->inode = root.st_ino;
  return made;
}

static void close_metrics(struct publisher_project *project) {
  if (project->metrics_fd >= 0)
    (void)close(project->metrics_fd);
  project->metrics_fd = -1;
  if (project->metrics_kept)
    descriptors_release(KEPT_DESCRIPTORS);
  project->metrics_kept = false;
}

void publisher_project_free(struct publisher_project *project) {
  if (project->site.election)
    election_leave(project->site.election, &project->site);
  doorbell_close(&project->doorbell);
  doorbell_button_close(&project->button);
  close_metrics(project);
  project_close(&project->site.project);
  buffer_fini(&project->dirty);
  free(project);
}

void publisher_project_note(struct publisher_project *project, const char *agent) {
  size_t len = strlen(agent) + 1;
  uint64_t hash = hash_bytes(agent, len, 0);

  if (project->dirty.len == 0)
    memset(project->dirty_recent, 0, sizeof project->dirty_recent);
  for (unsigned i = 0; i < PUBLISHER_DIRTY_RECENT; i++)
    if (project->dirty_recent[i] == hash)
      return;
  project->dirty_recent[project->dirty_next++ % PUBLISHER_DIRTY_RECENT] = hash;
  if (project->dirty.len + len <= DIRTY_BYTES_MAX)
    buffer_append(&project->dirty, agent, len);
  else
    project->all_dirty = true;
  project->all_dirty |= project->dirty.failed;
}

/* A ring by another process. */
static void look_at(void *ctx, const char *name) {
  struct publisher_project *project = ctx;

  project->busy_until_ns = clock_monotonic_ns() + BUSY_FOR_NS;
  project_agents_look_at(&project->agents, name, true);
}

/* With many agents less often, so that it costs little. */
static void plan_scan(struct publisher_project *project, int64_t now_ns) {
  int64_t pause_ns = project->agents.scan_spent_ns * SCAN_PAUSE;

  project->scan_ns = now_ns + (pause_ns > SCAN_INTERVAL_NS ? pause_ns : SCAN_INTERVAL_NS);
}

static void scan(struct publisher_project *project, int64_t now_ns) {
  project_agents_scan(&project->agents);
  plan_scan(project, now_ns);
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

/* The thread that hears rings compares it. */
static void set_watch_number(struct publisher_project *project, int number) {
  (void)pthread_mutex_lock(project->site.mutex);
  project->watch_number = number;
  (void)pthread_mutex_unlock(project->site.mutex);
}

void publisher_project_resign(struct publisher_project *project, struct window *window) {
  project_agents_forget(&project->agents, window);
  if (project->watch_number >= 0)
    os_watch_remove(project->watch, project->watch_number);
  set_watch_number(project, -1);
  doorbell_close(&project->doorbell);
  election_resign(project->site.election, &project->site);
  close_metrics(project);
  project->metrics_known = false;
  project->elected = project->site.id_known = project->resigning = project->site.lost = false;
  project->site.waiting_since_ns = 0;
}

/* 1 when the folder can be opened and is the one that was seen, 0 when not, -1 when that is unknown
 * for lack of descriptors. */
static int open_metrics(struct publisher_project *project, int *fd) {
  struct os_files_mark mark;
  struct error error = {0};
  int result = project_metrics_folder(&project->site.project, false, fd, &error);

  if (result != 0)
    return result < 0 && (error.os_error == EMFILE || error.os_error == ENFILE) ? -1 : 0;
  if (os_files_mark(*fd, &mark) == 0) {
    if (!project->metrics_known)
      project->metrics_mark = mark;
    project->metrics_known = true;
    if (memcmp(&mark, &project->metrics_mark, sizeof mark) == 0)
      return 1;
  }
  (void)close(*fd);
  return 0;
}

/* True when the folder is open and still the one of that name.  It may be made late, or be
 * replaced: restored, or removed and made again. */
static bool find_metrics(struct publisher_project *project) {
  int fd, result = open_metrics(project, &fd);

  if (result < 0)
    return project->metrics_fd >= 0;
  project->resigning |= result == 0 && project->metrics_known;
  if (result == 0)
    return false;
  if (project->metrics_fd < 0)
    project->metrics_fd = fd;
  else
    (void)close(fd);
  return true;
}

/* Between two rounds: a process with many projects has no descriptors for those where nothing goes
 * on. */
static void settle(struct publisher_project *project, int64_t now_ns) {
  bool rests = project->watch_number >= 0 && now_ns >= project->busy_until_ns &&
               project->agents.table.count == 0 && !project_agents_scans(&project->agents);

  if (project->metrics_fd < 0)
    return;
  if (!rests && !project->metrics_kept)
    project->metrics_kept = descriptors_keep(KEPT_DESCRIPTORS, KEEP_PERCENT);
  if (!rests && project->metrics_kept)
    return;
  close_metrics(project);
  doorbell_pause(&project->doorbell);
}

/* Does the project stay out of the election, after it had no success?  For the whole time while
 * somebody else publishes, for a few seconds when nobody does. */
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
  if (site_identity_keep(&project->site, project->elected))
    scan(project, now_ns);
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

  if (!project_agents_pending(&project->agents)) {
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
           "no event was acknowledged for %d seconds; letting another process try",
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

static void take_name(struct publisher_project *project, const char *name) {
  if (project->elected)
    project_agents_look_at(&project->agents, name, false);
  else
    doorbell_ring(&project->button, &project->site.project, name);
}

/* What instances of this process committed: to be read by us, or to be told to who is elected. */
static void take_dirty(struct publisher_project *project, int64_t now_ns) {
  struct buffer names;
  bool all;

  (void)pthread_mutex_lock(project->site.mutex);
  names = project->dirty;
  all = project->all_dirty;
  project->dirty = (struct buffer){0};
  project->all_dirty = false;
  if (project->rung && !project->site.id_known)
    project->stand_ns = now_ns; /* the first to record made .id */
  if (project->rung)
    project->listen_ns = now_ns;
  project->rung = false;
  project->site.durable = project->sync;
  (void)pthread_mutex_unlock(project->site.mutex);
  if (names.len == 0 && !all)
    return;
  project->busy_until_ns = now_ns + BUSY_FOR_NS;
  project->lively_until_ns = now_ns + LIVELY_FOR_NS;
  if (!project->elected || !project->site.id_known)
    stand(project, now_ns);
  for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1)
    take_name(project, names.data + at);
  buffer_fini(&names);
  if (all && project->elected)
    scan(project, now_ns);
  if (all && !project->elected)
    (void)project_each_agent(&project->site.project, false, ring_for, project, NULL);
}

/* From then on a ring is noticed at once, without polling. */
static void watch_doorbell(struct publisher_project *project, int64_t now_ns) {
  int number = os_watch_add(project->watch, project->metrics_fd);

  set_watch_number(project, number >= 0 ? number : -2);
  project->listen_ns = now_ns; /* what rang before */
}

static void listen(struct publisher_project *project, int64_t now_ns) {
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

/* What an elected project has to do in its folder. */
static void serve(struct publisher_project *project, int64_t now_ns) {
  if (project->watch && project->watch_number == -1)
    watch_doorbell(project, now_ns);
  listen(project, now_ns);
  if (now_ns >= project->scan_ns)
    scan(project, now_ns);
  if (project_agents_scan_on(&project->agents, project->metrics_fd, now_ns))
    plan_scan(project, now_ns);
  project_agents_tend(&project->agents, project->metrics_fd, now_ns);
  give_up_without_success(project, now_ns);
}

static bool has_work(const struct publisher_project *project, int64_t now_ns) {
  return project->agents.table.count > 0 || project_agents_scans(&project->agents) ||
         (project->watch && project->watch_number == -1) || now_ns >= project->listen_ns ||
         now_ns >= project->scan_ns;
}

void publisher_project_tick(struct publisher_project *project, int64_t now_ns) {
  if (now_ns >= project->stand_ns)
    stand(project, now_ns);
  take_dirty(project, now_ns);
  if (project->site.lost)
    project->resigning = true;
  if (project->elected && !project->resigning && has_work(project, now_ns) &&
      (project->metrics_fd >= 0 || find_metrics(project)))
    serve(project, now_ns);
  settle(project, now_ns);
}

int64_t publisher_project_next_ns(const struct publisher_project *project, int64_t now_ns) {
  int64_t next_ns = project->stand_ns;

  if (!project->elected)
    return next_ns;
  if (project->listen_ns < next_ns)
    next_ns = project->listen_ns;
  next_ns = project_agents_next_ns(&project->agents, next_ns);
  return next_ns > now_ns ? next_ns : now_ns;
}
