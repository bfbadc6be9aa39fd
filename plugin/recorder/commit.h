/* commit.h - one batch of an agent's records, under its lock: deduplicate, append, sync, derive.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_COMMIT_H
#define KAIZEN_COMMIT_H

#include "recorder/recorder.h"
#include "store/agent.h"

#define COMMIT_NOT_NEW UINT64_MAX

struct commit { /* zero it, reuse it for any number of batches of one agent, then commit_fini() */
  const struct recorder_options *options;
  struct buffer lines;                /* what will be appended */
  struct buffer scratch;              /* an earlier line, the summary's text */
  struct recorder_request **requests; /* the batch; borrowed */
  size_t count;
  struct fold next;    /* the fold once `lines` is in the log */
  uint64_t *offsets;   /* where in `lines` request i begins; COMMIT_NOT_NEW for a duplicate */
  size_t *seen;        /* keys of this batch: hash table of request numbers + 1 */
  size_t room;         /* requests that offsets and seen are large enough for */
  bool marks;          /* something in `lines` is marked */
  bool starved;        /* summary.json is not up to date for want of a descriptor */
  bool durable_needed; /* a duplicate is answered from a line that may not be synced yet */
};

/* The agent is acquired and stays so.  Answers every request; *error explains codes < 0. */
void commit_batch(struct commit *commit, struct agent *agent, struct error *error);
/* summary.json as the fold says, when it may say something else.  That it cannot be written is
 * told, but for commit->starved, which is for the caller to mend or to tell.  The agent is
 * acquired. */
void commit_refresh_summary(struct commit *commit, struct agent *agent);
void commit_fini(struct commit *commit);

#endif
