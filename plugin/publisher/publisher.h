/* publisher.h - follows the logs of projects and sends their marked lines to the broker.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One thread and one connection for each distinct broker configuration in a process, shared by
 * every project attached with it.  Among processes one is elected a project (fcntl lock on
 * .kaizen/metrics/.publisher.lock); the others stand by.  The publisher only reads logs; it writes
 * .state, .dead-letter.jsonl and its lock. */
#ifndef KAIZEN_PUBLISHER_H
#define KAIZEN_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "broker/transport_settings.h"
#include "publisher/pending_wait.h"
#include "publisher/publisher_status.h"
#include "store/project.h"

struct publisher_attachment; /* one project of one instance */

/* Starts (or joins) the publisher and attaches the project, which must stay open until detach.
 * Never waits for the network; a missing libnats or unreadable credentials do not fail it: status
 * says why nothing is sent.  -1 only for NOMEM or no thread. */
int publisher_attach(const struct transport_settings *settings, const struct project *project,
                     bool sync_logs, publisher_log log, void *log_ctx,
                     struct publisher_attachment **out, struct error *error);
/* After the commit of marked lines of `agent`: tells the thread, or rings .doorbell when another
 * process publishes.  Any thread, no lock held; cheap when the thread is awake. */
void publisher_committed(struct publisher_attachment *attachment, const char *agent);

/* Who holds the publisher lock of a project this instance does not publish for: as holder_pid, -1 a
 * process of another pid namespace. */
pid_t publisher_holder(const struct project *project);
void publisher_status(struct publisher_attachment *attachment, struct publisher_status *status);

/* Somebody waits: try now what a back-off would put off. */
void publisher_hurry(struct publisher_attachment *attachment);
/* Detaches the project; the last one ends the thread.  Waits at most to the deadline, then disowns
 * a thread that hangs in the network (it frees itself).  No log callback after it returns. */
void publisher_detach(struct publisher_attachment *attachment, int64_t deadline_ns);

#endif
