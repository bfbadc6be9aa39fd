/* report_table.h - the report's table of all agents, which the reader can search and sort where
 * scripts run.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_TABLE_H
#define KAIZEN_HOST_REPORT_TABLE_H

#include <stdio.h>

#include "report/agent_rows.h"

enum {
  REPORT_TABLE_ROWS_MAX = 500,     /* rows that a reader sees at once */
  REPORT_TABLE_BYTES_MAX = 600000, /* of the table, and of the other rows that can be searched */
};

/* The first `linked` rows lead to a section.  Rows beyond REPORT_TABLE_ROWS_MAX are data that the
 * script shows when they are asked for; what is beyond REPORT_TABLE_BYTES_MAX is only counted. */
void report_table_print(FILE *out, const struct agent_rows *rows, size_t linked);

#endif
