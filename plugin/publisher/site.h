/* site.h - what sending the events of a project's agents needs: its files, its listeners, and the
 * counts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_SITE_H
#define KAIZEN_SITE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "publisher/publisher_status.h"
#include "store/project.h"

struct site_listener { /* of one instance */
  struct site_listener *next;
  publisher_log log; /* NULL: wants no messages */
  void *log_ctx;
};

struct election;

struct site {
  struct project project; /* our own: outlives the instance's when the thread is slow to end */

  pthread_mutex_t *mutex;
  struct site_listener *listeners; /* guarded by it */

  struct election *election; /* constant */

  /* the thread's */
  bool lost; /* the election, as was noticed when it was relied on */
  unsigned char id[PROJECT_ID_SIZE];
  unsigned char former_id[PROJECT_ID_SIZE]; /* of states that are to be written under the new one */
  bool has_former_id;
  bool id_known, durable;   /* durable: some instance syncs its logs */
  int64_t waiting_since_ns; /* events are pending and nothing was acknowledged since; 0: none are */
  uint64_t failures;
  uint64_t duplicates,
      duplicates_gone; /* acknowledged as duplicates; of those looked up: not there */
  int64_t last_acknowledged_unix_ns;
};

/* Is this still the publisher of the project?  Asked before a window is filled and before what it
 * did is stored. */
bool site_is_ours(struct site *site);
/* To every listener's log, from the publisher's thread, without the mutex. */
void site_say(struct site *site, int32_t level, int32_t id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
