/* line_batch.h - requests that become lines of one agent's log together: look for their keys,
 * append, derive.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The agent is acquired all the while.  The steps are taken in this order: line_batch_plan(),
 * line_batch_append(), line_batch_derive(); docs/design.md, "One record, step by step". */
#ifndef KAIZEN_LINE_BATCH_H
#define KAIZEN_LINE_BATCH_H

#include "record/fold.h"
#include "recorder/options.h"
#include "recorder/request.h"
#include "store/agent.h"

#define LINE_BATCH_NOT_NEW UINT64_MAX

struct line_batch {
  const struct recorder_options *options;
  struct buffer lines;   /* what will be appended */
  struct buffer scratch; /* an earlier line, the summary's text */
  struct recorder_request **requests;
  size_t count;
  struct fold next;    /* the fold once `lines` is in the log */
  uint64_t start;      /* where in the log `lines` begins, unless displaced */
  uint64_t *offsets;   /* where in `lines` request i begins; LINE_BATCH_NOT_NEW for a duplicate */
  size_t *seen;        /* keys of this batch: hash table of request numbers + 1 */
  size_t room;         /* requests that the three arrays are large enough for */
  bool marks;          /* something in `lines` is marked */
  bool displaced;      /* another program appended meanwhile; it is unknown where the lines are */
  bool starved;        /* summary.json is not up to date for lack of a descriptor */
  bool durable_needed; /* a duplicate is answered from a line that may not be synced yet */
};

void line_batch_init(struct line_batch *batch, const struct recorder_options *options);
void line_batch_fini(struct line_batch *batch);

/* Begins a batch of `count` requests, which are then added.  line_batch_plan() reports that memory
 * ran out. */
void line_batch_begin(struct line_batch *batch, size_t count);
void line_batch_add(struct line_batch *batch, struct recorder_request *requests, size_t count);

/* Finds each request's answer, and makes the lines of the new ones; nothing is written.  -1 with
 * *error. */
int line_batch_plan(struct line_batch *batch, struct agent *agent, struct error *error);
/* One write, and one sync when configured.  -1 with *error: nothing was left behind, or
 * KAIZEN_E_INDETERMINATE. */
int line_batch_append(struct line_batch *batch, struct agent *agent, struct error *error);
/* Fold, index, summary.json, checkpoint, all of which follow from the log.  What cannot be written
 * now is reported, and written later. */
void line_batch_derive(struct line_batch *batch, struct agent *agent);

/* Writes summary.json from the fold, when it may be out of date.  A failure is reported, except for
 * batch->starved, which the caller handles. */
void line_batch_refresh_summary(struct line_batch *batch, struct agent *agent);

#endif
