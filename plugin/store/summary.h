/* summary.h - summary.json: the fold, in the form that readers expect.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_SUMMARY_H
#define KAIZEN_SUMMARY_H

#include <stdbool.h>

#include "base/error.h"
#include "common/buffer.h"
#include "record/fold.h"

#define SUMMARY_FILE "summary.json"

struct summary { /* docs/format.md, "summary.json" */
  uint64_t execution_count;
  double success_rate, avg_quality_score,
      avg_execution_time_s; /* 0.0 when nothing carries the field */
  bool has_quality, has_time;
  int64_t last_execution_s;                        /* -1: none */
  int32_t trend_success_rate, trend_quality_score; /* KAIZEN_TREND_* */
};

/* `window`: values in each half of a trend, 1..FOLD_WINDOW_MAX.  Pure. */
void summary_of(const struct fold *fold, unsigned window, struct summary *summary);
/* The rates alone, as the event of a line carries them. */
double summary_success_rate(const struct fold *fold);
double summary_average_quality(const struct fold *fold);
/* The document: two spaces of indent, a newline at its end. */
void summary_append_json(const struct summary *summary, struct buffer *out);
const char *summary_trend_name(int32_t trend);
/* Replaces summary.json with `text` in one step: a reader sees the whole old or the whole new
 * document.  `shared`: the agent's folder is shared by a group, and so is the document. */
int summary_replace(int agent_fd, bool shared, struct span text, struct error *error);
/* "ok", or what is wrong with a document; compared by value, so that a document in another
 * program's layout passes. */
const char *summary_compare(struct span text, const struct summary *summary);

#endif
