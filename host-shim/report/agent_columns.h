/* agent_columns.h - what can be shown about an agent, one column each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_AGENT_COLUMNS_H
#define KAIZEN_HOST_AGENT_COLUMNS_H

#include "report/agent_rows.h"

enum agent_column_kind {
  AGENT_COLUMN_TEXT,
  AGENT_COLUMN_COUNT,
  AGENT_COLUMN_PERCENT,
  AGENT_COLUMN_SCORE,
  AGENT_COLUMN_SECONDS,
  AGENT_COLUMN_USD
};
enum { AGENT_COLUMNS_MAX = 24, AGENT_COLUMNS_TEXT_MAX = 2 * FIGURES_CHANGE_MAX };

struct agent_column {
  const char *name, *heading; /* a heading with a leading '>' is aligned to the right */
  enum agent_column_kind kind;
  double (*number)(
      const struct agent_row *row); /* NAN: nothing to show; NULL: it has only a text */
  void (*text)(const struct agent_row *row, char out[AGENT_COLUMNS_TEXT_MAX]); /* NULL: the number;
                                             * with both, the text is shown and the number sorts */
};

/* The columns by these names, separated by commas, or "all"; `option` is named in *problem. */
struct agent_columns {
  const struct agent_column *list[AGENT_COLUMNS_MAX];
  size_t count;
};
int agent_columns_choose(const char *names, const char *option, struct agent_columns *columns,
                         struct problem *problem);
/* What the column shows for the agent, "" for nothing. */
void agent_columns_text(const struct agent_column *column, const struct agent_row *row,
                        char out[AGENT_COLUMNS_TEXT_MAX]);
/* Sorts by the column, in the direction of the sign (1, or -1 for the reverse); agents with nothing
 * to show come last in both. */
int agent_columns_compare(const struct agent_column *column, int sign, const struct agent_row *a,
                          const struct agent_row *b);

#endif
