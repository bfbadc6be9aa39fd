/* publisher.c - the publishers of this process: sharing one, attaching, waiting, detaching.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/publisher.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/process.h"
#include "base/timed_wait.h"
#include "broker/transport_nats.h"
#include "publisher/election.h"
#include "publisher/pending_wait.h"
#include "publisher/publisher_thread.h"
#include "store/agent_view.h"
#include "store/doorbell.h"

struct publisher_attachment { /* guarded by the publisher's mutex */
  struct publisher *publisher;
  struct publisher_project *project;
  struct site_listener listener;
  struct doorbell_button button;
};

/* One list a process.  Taken before a publisher's mutex. */
static struct process_state registry_state = PROCESS_STATE_INITIALIZER;
static struct publisher *registry;

/* The parent's publishers have no threads here, and their mutexes may be held forever. */
static void forget_registry(void) {
  registry = NULL;
}

static void lock_registry(void) {
  process_state_lock(&registry_state, forget_registry);
}

static void unlock_registry(void) {
  process_state_unlock(&registry_state);
}

static bool retire(struct publisher *publisher) {
  struct publisher **at = &registry;
  bool retired;

  lock_registry();
  (void)pthread_mutex_lock(&publisher->mutex);
  retired = publisher->projects == NULL;
  (void)pthread_mutex_unlock(&publisher->mutex);
  while (retired && *at && *at != publisher)
    at = &(*at)->next;
  if (retired && *at)
    *at = publisher->next;
  unlock_registry();
  return retired;
}

/* The registry is locked.  NULL with *error. */
static struct publisher *find_or_start(const struct transport_settings *settings,
                                       struct error *error) {
  struct publisher *publisher;
  int result;

  for (publisher = registry; publisher; publisher = publisher->next)
    if (transport_settings_equal(&publisher->settings, settings))
      return publisher;
  publisher = publisher_thread_new(&transport_nats, settings, retire);
  if (!publisher) {
    (void)error_set(error, KAIZEN_E_NOMEM, "out of memory");
    return NULL;
  }
  publisher->sleep = PUBLISHER_AWAKE;
  /* it waits for the registry before it finds that it has no project yet */
  result = publisher_thread_start(publisher);
  if (result != 0) {
    publisher_thread_free(publisher);
    (void)error_set_errno(error, KAIZEN_E_NOMEM, result,
                          "no thread for the publisher (pthread_create)");
    return NULL;
  }
  publisher->next = registry;
  registry = publisher;
  return publisher;
}

/* The publisher is locked. */
static struct publisher_project *find_or_make_project(struct publisher *publisher,
                                                      const struct project *project) {
  struct publisher_project *found;
  struct stat root;

  if (fstat(project->root_fd, &root) != 0)
    return NULL;
  for (found = publisher->projects; found; found = found->next)
    if (!found->leaving && found->device == root.st_dev && found->inode == root.st_ino)
      return found;
  found = publisher_project_new(project, &publisher->mutex);
  if (!found)
    return NULL;
  found->users = 1; /* the thread's */
  found->next = publisher->projects;
  publisher->projects = found;
  return found;
}

int publisher_attach(const struct transport_settings *settings, const struct project *project,
                     bool sync_logs, publisher_log log, void *log_ctx,
                     struct publisher_attachment **out, struct error *error) {
  const struct transport_settings wanted = transport_settings_complete(settings);
  struct publisher_attachment *attachment = calloc(1, sizeof *attachment);
  struct publisher *publisher;

  *out = NULL;
  if (!attachment)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  lock_registry();
  publisher = find_or_start(&wanted, error);
  if (publisher) {
    (void)pthread_mutex_lock(&publisher->mutex);
    attachment->publisher = publisher;
    doorbell_button_init(&attachment->button);
    attachment->project = find_or_make_project(publisher, project);
    if (attachment->project) {
      attachment->listener = (struct site_listener){
          .next = attachment->project->site.listeners, .log = log, .log_ctx = log_ctx};
      attachment->project->site.listeners = &attachment->listener;
      attachment->project->sync = attachment->project->sync || sync_logs;
      *out = attachment;
    } else {
      (void)error_set(error, KAIZEN_E_NOMEM, "no memory or descriptors for the publisher");
    }
    publisher_thread_rouse(publisher, true);
    (void)pthread_mutex_unlock(&publisher->mutex);
  }
  unlock_registry();
  if (*out)
    return 0;
  free(attachment);
  return -1;
}

void publisher_committed(struct publisher_attachment *attachment, const char *agent) {
  struct publisher *publisher = attachment->publisher;
  struct publisher_project *project = attachment->project;

  (void)pthread_mutex_lock(&publisher->mutex);
  publisher_project_note(project, agent);
  if (!project->known_elected) /* this process may end before its thread gets to it */
    doorbell_ring(&attachment->button, &project->site.project, agent);
  publisher_thread_rouse(publisher, false);
  (void)pthread_mutex_unlock(&publisher->mutex);
}

pid_t publisher_holder(const struct project *project) {
  return election_ask(project);
}

void publisher_status(struct publisher_attachment *attachment, struct publisher_status *status) {
  (void)pthread_mutex_lock(&attachment->publisher->mutex);
  *status = attachment->project->status;
  (void)pthread_mutex_unlock(&attachment->publisher->mutex);
}

void publisher_hurry(struct publisher_attachment *attachment) {
  struct publisher *publisher = attachment->publisher;

  (void)pthread_mutex_lock(&publisher->mutex);
  publisher->hurry = true;
  publisher_thread_rouse(publisher, true);
  (void)pthread_mutex_unlock(&publisher->mutex);
}

void publisher_detach(struct publisher_attachment *attachment, int64_t deadline_ns) {
  struct publisher *publisher = attachment->publisher;
  struct publisher_project *project = attachment->project;
  struct site_listener **at = &project->site.listeners;
  bool join;

  (void)pthread_mutex_lock(&publisher->mutex);
  while (*at != &attachment->listener)
    at = &(*at)->next;
  *at = attachment->listener.next;
  doorbell_button_close(&attachment->button);
  free(attachment);
  if (project->site.listeners) {
    (void)pthread_mutex_unlock(&publisher->mutex);
    return;
  }
  project->leaving = true;
  project->leave_by_ns = deadline_ns;
  project->users++;
  publisher->waiters++;
  publisher->users++;
  publisher_thread_rouse(publisher, true);
  while (!(project->released && (publisher->projects || publisher->gone)))
    if (!timed_wait_cond(&publisher->changed, &publisher->mutex, deadline_ns))
      break;
  publisher->waiters--;
  if (--project->users == 0)
    publisher_project_free(project);
  join = publisher->gone && !publisher->joined;
  if (join) {
    publisher->joined = true;
    (void)pthread_mutex_unlock(&publisher->mutex);
    (void)pthread_join(publisher->thread, NULL);
    (void)pthread_mutex_lock(&publisher->mutex);
  }
  publisher_thread_put(publisher);
}
