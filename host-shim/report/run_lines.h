/* run_lines.h - the log's own lines of the newest runs, kept while the runs are read.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RUN_LINES_H
#define KAIZEN_HOST_RUN_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

struct run_line {
  int64_t ended_s; /* negative: not known yet */
  size_t place;    /* in the log */
  char *text;      /* without its newline */
};

struct run_lines {
  size_t max;               /* how many are wanted; 0: none */
  bool failures_only;       /* these are set before reading, as is */
  int64_t since_s, until_s; /* since_s <= ended_s < until_s */
  struct run_line *list;    /* oldest first, once they are all read */
  size_t count, room;
};

/* Keeps a run's line if it may be one of the newest; -1 without memory. */
int run_lines_add(struct run_lines *lines, int64_t ended_s, size_t place, bool success,
                  struct span line);
/* All are read: those without a time get `undated_s`, and the newest `max` stay. */
void run_lines_finish(struct run_lines *lines, int64_t undated_s);
/* Drops those that are older than that run. */
void run_lines_begin_at(struct run_lines *lines, int64_t ended_s, size_t place);
void run_lines_free(struct run_lines *lines);

#endif
