/* figures.h - the figures of a set of runs: success, durations, quality, tokens, cost, reasons.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_FIGURES_H
#define KAIZEN_HOST_FIGURES_H

#include "base/output.h"
#include "report/runs.h"
#include "stats/change.h"
#include "stats/share.h"

struct figures_spread { /* of the runs that carry the number; all are 0 when count is 0 */
  size_t count;
  double sum, mean, p50, p90, p95, max;
  double *sorted; /* the numbers themselves */
};

struct figures_tally { /* of one name: a model, a reason, a value of a key */
  uint32_t name;
  size_t count, successes;
  int64_t last_s;
  size_t cost_count; /* of those that carry a cost */
  double cost_usd;   /* their sum */
};
struct figures_tallies {
  struct figures_tally *list; /* most frequent first */
  size_t count;
};

struct figures {
  struct share share;
  double low, high; /* 95% interval of the rate */
  struct figures_spread duration_s, quality, tokens, cost_usd, primary;
  uint32_t primary_name; /* the metric that most runs carry, 0: none; `primary` is about it alone */
  double primary_target; /* its latest, NAN: none */
  struct figures_tallies models, reasons; /* models of the runs that have one; reasons of the
                                           * failures */
  int64_t first_s, last_s;                /* -1: no run */
  double runs_per_day;      /* over the days from the first to the last, at least one */
  size_t failures_in_a_row; /* the longest such stretch */
  size_t failures_now;      /* the one that ends with the newest run */
};

/* -1: no memory; nothing is to be freed then. */
int figures_of(struct run_slice slice, struct figures *figures, struct problem *problem);
void figures_free(struct figures *figures);
/* The runs of a slice by run.group, most frequent first; the caller's to free. */
int figures_groups(struct run_slice slice, struct figures_tallies *groups, struct problem *problem);

/* What of an agent can change, the most important first. */
enum figures_aspect {
  FIGURES_SUCCESS,
  FIGURES_QUALITY,
  FIGURES_DURATION,
  FIGURES_COST,
  FIGURES_ASPECTS
};
struct figures_changes { /* what changed, and when */
  struct change success;
  struct value_change quality, duration, cost; /* worse: lower, slower, more expensive */
  int64_t since_s[FIGURES_ASPECTS];            /* of the first run after the change; -1: none */
};
int figures_changes(struct run_slice slice, struct figures_changes *changes,
                    struct problem *problem);
enum change_verdict figures_change_verdict(const struct figures_changes *changes,
                                           enum figures_aspect aspect);
/* The one change that a line has room for: the first aspect that got worse; where none did, the
 * first that got better; where nothing changed, FIGURES_SUCCESS. */
enum figures_aspect figures_change_foremost(const struct figures_changes *changes);
/* The foremost change on a scale from -4, success got worse, to 4, success got better.  0: nothing
 * changed, or the runs are too few to tell. */
int figures_change_score(const struct figures_changes *changes);
/* Red for worse, green for better. */
enum output_style figures_change_style(const struct figures_changes *changes,
                                       enum figures_aspect aspect);
/* "worse since 2026-11-20 14:02 UTC, 2 of 20, down from 188 of 200", "quality lower since ...",
 * "slower since ..., median 90 s, up from 30 s", "more expensive since ..., median $0.38, up from
 * $0.18", "no change", "too few to tell". */
enum { FIGURES_CHANGE_MAX = 160 };
void figures_change_text(const struct figures_changes *changes, enum figures_aspect aspect,
                         char out[FIGURES_CHANGE_MAX]);
/* "; known for 18 runs" where not every one of the runs has that number, else "". */
void figures_known_text(const struct figures_spread *spread, size_t runs,
                        char out[FIGURES_CHANGE_MAX]);

#endif
