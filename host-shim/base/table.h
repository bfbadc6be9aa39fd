/* table.h - aligned columns, trend arrows and sparklines on standard output.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_TABLE_H
#define KAIZEN_HOST_TABLE_H

#include <stddef.h>

#include "base/output.h"

enum { TABLE_COLUMNS_MAX = 24 };

struct table {
  const char *const *headings; /* NULL-terminated; a leading '>' aligns the column to the right */
  size_t column_count, cell_count, room;
  char **cells;              /* row by row */
  enum output_style *styles; /* one per cell */
};

void table_init(struct table *table, const char *const *headings);
/* The next cell, left to right; without memory it is empty. */
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_cell_styled(struct table *table, enum output_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints and frees. */
void table_print(struct table *table);

/* For "up", "down", "stable": an arrow; for anything else "". */
const char *table_trend_arrow(const char *trend);
/* One mark for a value of 0..1, lowest to highest; a dot for a missing value (negative). */
const char *table_spark(double value);

#endif
