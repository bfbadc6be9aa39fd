/* publisher_thread.c - one publisher's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The thread owns its connection, elections and cursors, and releases them itself.  A caller that
 * wants it to end asks, and waits as long as it likes: a frozen broker may hold the thread for
 * seconds (docs/reliability.md, schedule 17). */
#include "publisher/publisher_thread.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/os_process.h"
#include "base/timed_wait.h"

#define STACK_BYTES (256u << 10)
#define NICE 10 /* a tenth of a processor that somebody else also wants */
#define NAP_NS INT64_C(1000000)
#define WATCH_FROM 4 /* projects */
#define RINGS_AT_A_TIME 64

/* From the transport's threads. */
static void wake_for_answers(void *ctx) {
  struct publisher *publisher = ctx;

  (void)pthread_mutex_lock(&publisher->mutex);
  publisher_thread_rouse(publisher, true);
  (void)pthread_mutex_unlock(&publisher->mutex);
}

struct publisher *publisher_thread_new(const struct transport_kind *kind,
                                       const struct transport_settings *settings,
                                       bool (*retire)(struct publisher *publisher)) {
  struct publisher *publisher = calloc(1, sizeof *publisher);

  if (!publisher)
    return NULL;
  if (!transport_settings_copy(&publisher->settings, settings)) {
    transport_settings_fini(&publisher->settings);
    free(publisher);
    return NULL;
  }
  (void)pthread_mutex_init(&publisher->mutex, NULL);
  (void)pthread_cond_init(&publisher->wake, NULL);
  (void)pthread_cond_init(&publisher->changed, NULL);
  publisher->flow.sender.kind = kind;
  publisher->flow.sender.settings = &publisher->settings;
  publisher->retire = retire;
  publisher->flow.wake = wake_for_answers;
  publisher->flow.wake_ctx = publisher;
  return publisher;
}

void publisher_thread_free(struct publisher *publisher) {
  publisher_flow_fini(&publisher->flow);
  transport_settings_fini(&publisher->settings);
  (void)pthread_cond_destroy(&publisher->wake);
  (void)pthread_cond_destroy(&publisher->changed);
  (void)pthread_mutex_destroy(&publisher->mutex);
  free(publisher);
}

void publisher_thread_put(struct publisher *publisher) {
  bool last = --publisher->users == 0;

  (void)pthread_mutex_unlock(&publisher->mutex);
  if (last)
    publisher_thread_free(publisher);
}

void publisher_thread_rouse(struct publisher *publisher, bool nap) {
  if (publisher->sleep == PUBLISHER_AWAKE && nap)
    publisher->roused = true;
  if (publisher->sleep == PUBLISHER_AWAKE || (publisher->sleep == PUBLISHER_NAPPING && !nap))
    return;
  publisher->sleep = PUBLISHER_AWAKE;
  (void)pthread_cond_signal(&publisher->wake);
}

static void remove_project(struct publisher *publisher, struct publisher_project *project) {
  struct publisher_project **at;
  bool last;

  (void)pthread_mutex_lock(&publisher->mutex);
  for (at = &publisher->projects; *at != project;)
    at = &(*at)->next;
  *at = project->next;
  project->released = true;
  last = --project->users == 0;
  (void)pthread_cond_broadcast(&publisher->changed);
  (void)pthread_mutex_unlock(&publisher->mutex);
  if (last)
    publisher_project_free(project);
}

/* True when the project is gone. */
static bool let_go(struct publisher *publisher, struct publisher_project *project,
                   struct publisher_project *projects, int64_t leave_by_ns, int64_t now_ns) {
  project->ending = true;
  if (project_agents_in_flight(&project->agents) && now_ns < leave_by_ns)
    return false; /* answers may still come */
  /* with the connection closed nothing of ours can reach the broker after somebody else was
   * elected */
  if (project_agents_in_flight(&project->agents) || !projects->next)
    publisher_flow_disconnect(&publisher->flow, projects);
  publisher_project_resign(project, &publisher->flow.sender.window);
  election_leave(project->site.election, &project->site);
  project->site.election = NULL;
  remove_project(publisher, project);
  return true;
}

static void serve_projects(struct publisher *publisher, struct publisher_project *projects,
                           int64_t now_ns) {
  struct publisher_project *project, *next;

  for (project = projects; project; project = next) {
    int64_t leave_by_ns;
    bool leaving;

    next = project->next;
    (void)pthread_mutex_lock(&publisher->mutex);
    leaving = project->leaving;
    leave_by_ns = project->leave_by_ns;
    (void)pthread_mutex_unlock(&publisher->mutex);
    publisher_project_tick(project, now_ns);
    if (project->resigning) {
      if (project_agents_in_flight(&project->agents))
        publisher_flow_disconnect(&publisher->flow, projects);
      publisher_project_resign(project, &publisher->flow.sender.window);
    }
    if (leaving && let_go(publisher, project, projects, leave_by_ns, now_ns) && project == projects)
      projects = next;
  }
}

static void describe_holder(pid_t holder, char *reason, size_t room) {
  if (holder == getpid())
    (void)snprintf(reason, room, "another copy of the plugin in this process publishes its events");
  else if (holder < 0)
    (void)snprintf(reason, room, "a process in another pid namespace publishes its events");
  else
    (void)snprintf(reason, room, "process %ld publishes this project's events%s", (long)holder,
                   os_process_is_stopped(holder) ? "; it is stopped (SIGCONT wakes it)" : "");
}

static void describe(const struct publisher *publisher, const struct publisher_project *project,
                     int64_t now_ns, struct publisher_status *status) {
  const struct transport_trouble *trouble = &publisher->flow.trouble;
  char *reason = status->reason;

  memset(status, 0, sizeof *status);
  status->holder_pid = project->holder;
  status->publish_failures = project->site.failures;
  status->duplicates = project->site.duplicates;
  status->duplicates_gone = project->site.duplicates_gone;
  status->last_acknowledged_unix_ns = project->site.last_acknowledged_unix_ns;
  if (!project->elected) {
    status->state = KAIZEN_PUBLISHER_ELSEWHERE;
    if (now_ns < project->away_until_ns)
      (void)snprintf(reason, sizeof status->reason,
                     "paused so that another process may try: %.100s", trouble->text);
    else if (!project->metrics_known) /* not looked for yet, or not there when it was */
      (void)snprintf(reason, sizeof status->reason,
                     "the publisher has not read a log of this project yet");
    else
      describe_holder(project->holder, reason, sizeof status->reason);
    return;
  }
  status->state =
      publisher->flow.sender.transport ? KAIZEN_PUBLISHER_CONNECTED : KAIZEN_PUBLISHER_CONNECTING;
  status->hopeless = trouble->text[0] && trouble->hopeless;
  (void)snprintf(reason, sizeof status->reason, "%s", trouble->text);
}

static struct publisher_project *projects_of(struct publisher *publisher) {
  struct publisher_project *projects;

  (void)pthread_mutex_lock(&publisher->mutex);
  projects = publisher->projects;
  (void)pthread_mutex_unlock(&publisher->mutex);
  return projects;
}

static void sleep_until(struct publisher *publisher, int64_t now_ns, int64_t until_ns,
                        bool lively) {
  (void)pthread_mutex_lock(&publisher->mutex);
  for (struct publisher_project *project = publisher->projects; project; project = project->next) {
    describe(publisher, project, now_ns, &project->status);
    project->known_elected = publisher_project_serves(project);
    if (project->dirty.len > 0 || project->all_dirty || project->rung)
      until_ns = now_ns;
  }
  if (publisher->roused)
    until_ns = now_ns;
  publisher->roused = false;
  publisher->sleep = lively ? PUBLISHER_NAPPING : PUBLISHER_SLEEPING;
  while (until_ns > now_ns && publisher->sleep != PUBLISHER_AWAKE)
    if (!timed_wait_cond(&publisher->wake, &publisher->mutex, until_ns))
      break;
  publisher->sleep = PUBLISHER_AWAKE;
  if (publisher->hurry)
    publisher_flow_hurry(&publisher->flow, now_ns);
  publisher->hurry = false;
  (void)pthread_mutex_unlock(&publisher->mutex);
}

static int64_t next_ns(const struct publisher *publisher, const struct publisher_project *projects,
                       int64_t now_ns) {
  int64_t earliest_ns = publisher_flow_next_ns(&publisher->flow, projects, now_ns);

  for (; projects; projects = projects->next) {
    int64_t its_ns = publisher_project_next_ns(projects, now_ns);

    if (its_ns < earliest_ns)
      earliest_ns = its_ns;
  }
  return earliest_ns;
}

/* While something happens it polls every millisecond, so that a commit costs its caller no
 * wake-up. */
static bool is_lively(const struct publisher *publisher, const struct publisher_project *projects,
                      int64_t now_ns) {
  if (publisher->flow.sender.in_flight > 0)
    return true;
  for (; projects; projects = projects->next)
    if (now_ns < projects->lively_until_ns)
      return true;
  return false;
}

/* A thread that waits for rings, while the publisher's own waits for everything else. */
static void *hear_rings(void *ctx) {
  struct publisher *publisher = ctx;
  int numbers[RINGS_AT_A_TIME], all;
  size_t count;

  os_process_name_thread("kaizen-watch");
  while ((count = os_watch_wait(publisher->watch, numbers, RINGS_AT_A_TIME, &all)) > 0) {
    (void)pthread_mutex_lock(&publisher->mutex);
    for (struct publisher_project *project = publisher->projects; project; project = project->next)
      for (size_t i = 0; i < count && !project->rung; i++)
        project->rung = all || project->watch_number == numbers[i];
    publisher_thread_rouse(publisher, true);
    (void)pthread_mutex_unlock(&publisher->mutex);
  }
  return NULL;
}

static void start_watch(struct publisher *publisher) {
  publisher->watch_tried = true;
  publisher->watch = os_watch_new();
  if (!publisher->watch)
    return;
  if (pthread_create(&publisher->watcher, NULL, hear_rings, publisher) == 0)
    return;
  os_watch_free(publisher->watch);
  publisher->watch = NULL;
}

static void end_watch(struct publisher *publisher) {
  if (!publisher->watch)
    return;
  os_watch_end(publisher->watch);
  (void)pthread_join(publisher->watcher, NULL);
  os_watch_free(publisher->watch);
  publisher->watch = NULL;
}

/* Polling a few doorbells costs less than a thread; polling a thousand costs a fifth of a
 * processor. */
static void watch_many(struct publisher *publisher, struct publisher_project *projects) {
  unsigned count = 0;

  for (const struct publisher_project *at = projects; at && count < WATCH_FROM; at = at->next)
    count++;
  if (count == WATCH_FROM && !publisher->watch_tried)
    start_watch(publisher);
  for (; projects; projects = projects->next)
    projects->watch = publisher->watch;
}

static void serve(struct publisher *publisher) {
  for (;;) {
    int64_t now_ns = clock_monotonic_ns(), until_ns;
    struct publisher_project *projects;
    bool lively;

    watch_many(publisher, projects_of(publisher));
    serve_projects(publisher, projects_of(publisher), now_ns);
    projects = projects_of(publisher);
    if (!projects && publisher->retire(publisher))
      return;
    publisher_flow_tick(&publisher->flow, projects, now_ns);
    now_ns = clock_monotonic_ns();
    lively = is_lively(publisher, projects, now_ns);
    until_ns = next_ns(publisher, projects, now_ns);
    if (lively && until_ns > now_ns + NAP_NS)
      until_ns = now_ns + NAP_NS;
    sleep_until(publisher, now_ns, until_ns, lively);
  }
}

static void *run(void *ctx) {
  struct publisher *publisher = ctx;

  os_process_name_thread("kaizen-pub");
  /* This thread's alone, and of those the NATS library starts from here (nice(2), NOTES):
   * where processors are short the host's threads come first, and events wait in the log. */
  (void)!nice(NICE);
  serve(publisher);
  end_watch(publisher);
  publisher_flow_disconnect(&publisher->flow, NULL);
  (void)pthread_mutex_lock(&publisher->mutex);
  publisher->gone = true;
  if (publisher->waiters == 0)
    (void)pthread_detach(pthread_self());
  (void)pthread_cond_broadcast(&publisher->changed);
  publisher_thread_put(publisher);
  return NULL;
}

int publisher_thread_start(struct publisher *publisher) {
  pthread_attr_t attributes;
  sigset_t all, before;
  int result;

  (void)sigfillset(&all);
  result = pthread_attr_init(&attributes);
  if (result != 0)
    return result;
  (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  publisher->users++;
  result = pthread_create(&publisher->thread, &attributes, run, publisher);
  if (result != 0)
    publisher->users--;
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)pthread_attr_destroy(&attributes);
  return result;
}
