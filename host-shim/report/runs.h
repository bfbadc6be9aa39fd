/* runs.h - an agent's runs as numbers, in the order of time, read through kaizen.query/1.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RUNS_H
#define KAIZEN_HOST_RUNS_H

#include <stdbool.h>

#include "host/session.h"
#include "report/names.h"
#include "report/run_lines.h"
#include "report/window.h"

struct run {       /* a number that the record does not carry is NAN, a name 0 */
  int64_t ended_s; /* for a record without a readable timestamp: the time of the record before it,
                    * else of the first one after it that has a time; -1: none in this log has */
  double duration_s, quality, tokens, cost_usd, primary, primary_target;
  uint32_t model, reason, primary_name, group;
  bool success;
  size_t place; /* in the log */
};

struct runs {
  struct names names;
  struct run *list; /* oldest first; runs of the same second in the order of the log */
  size_t count, room;
};

struct run_slice { /* a contiguous part of them; borrowed */
  const struct run *list;
  size_t count;
};

/* All runs of the agent.  `group_key` (may be NULL): the member of a record, or of its metadata,
 * whose value becomes run.group.  -1 with *problem, also for an agent without a log; nothing is to
 * be freed then. */
int runs_read(struct session *session, const char *agent, const char *group_key, struct runs *runs,
              struct problem *problem);
/* The same, and the lines of some of them; those, too, are then the caller's. */
int runs_read_lines(struct session *session, const char *agent, const char *group_key,
                    struct runs *runs, struct run_lines *lines, struct problem *problem);
void runs_free(struct runs *runs);
/* Adds runs of another series, whose names are `names`; -1 without memory.  runs_sort() puts them
 * into the order of time. */
int runs_append(struct runs *runs, const struct names *names, struct run_slice slice);
void runs_sort(struct runs *runs);

struct run_slice runs_all(const struct runs *runs);
/* Those with since_s <= ended_s < until_s. */
struct run_slice runs_between(struct run_slice slice, int64_t since_s, int64_t until_s);
struct run_slice runs_last(struct run_slice slice, uint64_t count);
/* The times of a window: since_s <= ended_s < until_s. */
void runs_window_times(const struct window *window, int64_t *since_s, int64_t *until_s);
struct run_slice runs_in_window(const struct runs *runs, const struct window *window);

#endif
