/* publisher_project.h - one project as a publisher sees it: elected or not, its agents, its
 * listeners.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_PUBLISHER_PROJECT_H
#define KAIZEN_PUBLISHER_PROJECT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/os_files.h"
#include "base/os_watch.h"
#include "publisher/election.h"
#include "publisher/project_agents.h"
#include "publisher/publisher_status.h"
#include "publisher/site.h"
#include "record/execution.h"
#include "store/doorbell.h"
#include "store/project.h"

#define PUBLISHER_DIRTY_RECENT 32

struct publisher_project {
  struct publisher_project *next;
  struct site site;

  /* guarded by the mutex, which is the publisher's */
  unsigned users; /* attachments, callers that wait for it to end, and the thread */
  bool leaving;   /* the last attachment went */
  bool released;  /* the thread has released it */
  bool sync;      /* logs are made durable: some instance asks for it */
  int64_t leave_by_ns;
  struct buffer dirty;                           /* names of agents, each with its NUL */
  uint64_t dirty_recent[PUBLISHER_DIRTY_RECENT]; /* hashes of the last ones */
  unsigned dirty_next;
  bool all_dirty;
  bool rung; /* something was written into the metrics folder, which is watched */
  struct publisher_status status;
  bool known_elected; /* when the thread's last round was: a commit soon after it need not ring */

  /* constant */
  dev_t device;
  ino_t inode;

  /* the thread's */
  bool elected;
  bool resigning;                    /* to be resigned by the thread, once nothing is in flight */
  bool ending;                       /* nothing new is sent */
  int metrics_fd;                    /* -1: not open just now, or there is no folder yet */
  bool metrics_known, metrics_kept;  /* it was seen; its descriptors may stay open */
  struct os_files_mark metrics_mark; /* the inode alone is not enough: its number is reused */
  struct os_watch *watch;            /* the publisher's; NULL: the doorbell is polled */
  int watch_number; /* of the metrics folder in it; -1: not yet, -2: it cannot be watched */
  struct doorbell doorbell;
  struct doorbell_button button; /* of the process that publishes, when it is not us */
  struct project_agents agents;
  int64_t asserted_ns; /* when the election was last asserted before sending */
  int64_t stand_ns, scan_ns, listen_ns, away_until_ns; /* CLOCK_MONOTONIC: when to do it next */
  int64_t busy_until_ns, lively_until_ns;              /* something was committed a moment ago */
  pid_t holder;
};

/* A private copy of `project`.  NULL when memory or descriptors run out. */
struct publisher_project *publisher_project_new(const struct project *project,
                                                pthread_mutex_t *mutex);
void publisher_project_free(struct publisher_project *project);

/* The mutex is held: an instance of this process committed for the agent. */
void publisher_project_note(struct publisher_project *project, const char *agent);

/* What follows is called by the thread, without the mutex. */
/* Election, doorbell, rounds, what instances committed. */
void publisher_project_tick(struct publisher_project *project, int64_t now_ns);
/* Stores what can be stored, lets others publish; nothing of it in flight. */
void publisher_project_resign(struct publisher_project *project, struct window *window);
/* Are its events ours to send? */
bool publisher_project_serves(const struct publisher_project *project);
/* The same, asked again of the lock file when that was not done a moment ago. */
bool publisher_project_may_send(struct publisher_project *project, int64_t now_ns);
/* When it wants to be called next. */
int64_t publisher_project_next_ns(const struct publisher_project *project, int64_t now_ns);

#endif
