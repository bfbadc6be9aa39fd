/* run_lines.c - the log's own lines of the newest runs, kept while the runs are read.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/run_lines.h"

#include <stdlib.h>
#include <string.h>

enum { SPARE = 64 };

static int compare_lines(const void *one, const void *other) {
  const struct run_line *a = one, *b = other;

  if (a->ended_s != b->ended_s)
    return a->ended_s < b->ended_s ? -1 : 1;
  return (a->place > b->place) - (a->place < b->place);
}

static void drop_first(struct run_lines *lines, size_t count) {
  for (size_t i = 0; i < count; i++)
    free(lines->list[i].text);
  lines->count -= count;
  if (count > 0)
    memmove(lines->list, lines->list + count, lines->count * sizeof *lines->list);
}

static void keep_newest(struct run_lines *lines) {
  if (lines->count > 1)
    qsort(lines->list, lines->count, sizeof *lines->list, compare_lines);
  drop_first(lines, lines->count > lines->max ? lines->count - lines->max : 0);
}

/* The log is nearly in the order of time: they are put in order only now and then. */
int run_lines_add(struct run_lines *lines, int64_t ended_s, size_t place, bool success,
                  struct span line) {
  bool in_window = ended_s < 0 || (ended_s >= lines->since_s && ended_s < lines->until_s);

  if (lines->max == 0 || !in_window || (lines->failures_only && success))
    return 0;
  if (lines->count / 2 > lines->max && lines->count > SPARE)
    keep_newest(lines);
  if (lines->count == lines->room) {
    size_t room = lines->room == 0 ? SPARE : lines->room * 2;
    struct run_line *list = reallocarray(lines->list, room, sizeof *list);

    if (!list)
      return -1;
    lines->list = list;
    lines->room = room;
  }
  char *text = strndup(line.ptr, line.len);
  if (!text)
    return -1;
  lines->list[lines->count++] = (struct run_line){ended_s, place, text};
  return 0;
}

void run_lines_finish(struct run_lines *lines, int64_t undated_s) {
  size_t kept = 0;

  for (size_t i = 0; i < lines->count; i++) {
    struct run_line line = lines->list[i];

    line.ended_s = line.ended_s < 0 ? undated_s : line.ended_s;
    if (line.ended_s >= lines->since_s && line.ended_s < lines->until_s)
      lines->list[kept++] = line;
    else
      free(line.text);
  }
  lines->count = kept;
  keep_newest(lines);
}

void run_lines_begin_at(struct run_lines *lines, int64_t ended_s, size_t place) {
  const struct run_line first = {ended_s, place, NULL};
  size_t older = 0;

  while (older < lines->count && compare_lines(&lines->list[older], &first) < 0)
    older++;
  drop_first(lines, older);
}

void run_lines_free(struct run_lines *lines) {
  for (size_t i = 0; i < lines->count; i++)
    free(lines->list[i].text);
  free(lines->list);
  *lines = (struct run_lines){.list = NULL};
}
