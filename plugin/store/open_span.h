/* open_span.h - `.open-<token>`: a run that has begun and whose end has not been recorded yet.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One file a run in its agent's folder, written once and removed when the end is in the log.  A
 * process that dies in between leaves it behind; the file says whose it was, under which key the
 * end is to be recorded, and when the run began, so that anybody can record the run as lost, once.
 * Files are made and removed without the agent's lock: the key decides who came first. */
#ifndef KAIZEN_OPEN_SPAN_H
#define KAIZEN_OPEN_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/process_identity.h"
#include "base/uuid.h"
#include "common/buffer.h"

struct open_span {               /* zero it, fill it, open_span_fini() */
  struct buffer key, session_id; /* UTF-8; session_id may be empty */
  uint32_t exec_flags;           /* KAIZEN_EXEC_EMIT, KAIZEN_EXEC_NO_EMIT or 0 */
  int64_t began_unix_ns, began_boot_ns;
  struct process_identity owner;
};

void open_span_fini(struct open_span *span);

/* Makes the file of a run that begins now.  1: the folder was removed meanwhile; -1 with *error. */
int open_span_create(int agent_fd, const char token[UUID_TEXT_SIZE], const struct open_span *span,
                     struct error *error);
/* 0 with *span, 1 when there is no such file, -1 with *error; also when it cannot be understood
 * (KAIZEN_E_REJECTED). */
int open_span_read(int agent_fd, const char token[UUID_TEXT_SIZE], struct open_span *span,
                   struct error *error);
/* 0 also when it is not there. */
int open_span_remove(int agent_fd, const char token[UUID_TEXT_SIZE], struct error *error);
/* How many are open, counted up to `max`.  -1 with *error. */
int open_span_count(int agent_fd, int max, struct error *error);
/* Calls `each` with the token of every open span of an agent, until it answers non-zero (returned).
 * -1 with *error. */
int open_span_each(int agent_fd, int (*each)(void *ctx, const char *token), void *ctx,
                   struct error *error);

/* Whether its process is gone, so that nobody will record its end any more; `own` is the asking
 * process.  Where that is unknown (another pid namespace): whether a day has passed. */
bool open_span_is_lost(const struct open_span *span, const struct process_identity *own);
/* Nanoseconds since it began, -1 when that is unknown: it began before this boot. */
int64_t open_span_elapsed_ns(const struct open_span *span, const struct process_identity *own);

/* Of a file that cannot be understood: is it older than a day?  Then a process died while it made
 * the file; its run never began. */
bool open_span_is_scrap(int agent_fd, const char token[UUID_TEXT_SIZE]);

#endif
