/* host_log.h - messages on their way to the host's log callback.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Queued by any thread with any lock held; handed over on a thread that is inside a call and holds
 * none, because the host's callback may take locks of its own (plugin.h, kaizen_host_v1).  Bounded:
 * when the queue is full the oldest stay.  Of one id at most one message in ten seconds is queued,
 * with the count of those left out. */
#ifndef KAIZEN_HOST_LOG_H
#define KAIZEN_HOST_LOG_H

#include <kaizen/plugin.h>
#include <pthread.h>
#include <stdatomic.h>

#define HOST_LOG_QUEUED_MAX 32
#define HOST_LOG_TEXT_MAX 400
#define HOST_LOG_IDS_MAX 32

enum host_log_id { /* the edge's own */
                   HOST_LOG_RECORD_FAILED = 106,
                   HOST_LOG_REJECTED = 107,
                   HOST_LOG_NO_PUBLISHER = 109,
                   HOST_LOG_RUN_LOST = 111
};

struct host_log {
  pthread_mutex_t mutex;
  const struct kaizen_host_v1 *host; /* borrowed */
  atomic_uint count; /* written under the mutex; read without it to pass by an empty queue */
  struct {
    int32_t level, id;
    char text[HOST_LOG_TEXT_MAX];
  } queued[HOST_LOG_QUEUED_MAX];
  struct {
    int32_t id;
    int64_t next_ns;
    uint64_t left_out;
  } recent[HOST_LOG_IDS_MAX];
};

void host_log_init(struct host_log *log, const struct kaizen_host_v1 *host);
void host_log_fini(struct host_log *log);
/* For a struct message_sink; ctx is the struct host_log. */
void host_log_send(void *ctx, int32_t level, int32_t id, const char *text);
/* Calls the host's log with what is queued. */
void host_log_deliver(struct host_log *log);

#endif
