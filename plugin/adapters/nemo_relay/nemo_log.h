/* nemo_log.h - messages to the host's standard error: Relay offers its plugins no log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A message never waits: what the descriptor does not accept at once is left out. */
#ifndef KAIZEN_NEMO_LOG_H
#define KAIZEN_NEMO_LOG_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum nemo_log_id {
  NEMO_LOG_UNREADABLE, /* an event */
  NEMO_LOG_NAMELESS,   /* an agent */
  NEMO_LOG_FORGOTTEN,  /* an open scope, because there are too many */
  NEMO_LOG_NO_MEMORY,
  NEMO_LOG_REFUSED, /* a record */
  NEMO_LOG_ABORTED, /* runs that were open at close */
  NEMO_LOG_IDS
};

struct nemo_log {
  pthread_mutex_t mutex;
  struct {
    int64_t next_ns; /* by the monotonic clock; 0: none was written yet */
    uint64_t left_out;
  } recent[NEMO_LOG_IDS];
};

void nemo_log_init(struct nemo_log *log);
void nemo_log_fini(struct nemo_log *log);
/* One line; of an id at most one in ten seconds, with the number of those left out. */
void nemo_log_warn(struct nemo_log *log, enum nemo_log_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* kaizen_host_v1.log; `ctx` is not used. */
void nemo_log_message(void *ctx, int32_t level, int32_t id, const char *text, size_t len);

#endif
