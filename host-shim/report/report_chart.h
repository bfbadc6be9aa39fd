/* report_chart.h - the report's pictures: SVG inside the page, stretched to its width, with labels
 * beside it that keep the size of text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_CHART_H
#define KAIZEN_HOST_REPORT_CHART_H

#include <stdio.h>

#include "report/figures.h"

/* Success and quality, the number of runs, their cost and median duration over time: all columns
 * cover the same length of time, and one without runs stays empty.  The times of changes are
 * marked, one a column; what is not on the axis (negative: no change) is not.  Nothing is drawn for
 * fewer than two runs. */
void report_chart_history(FILE *out, struct run_slice slice, const int64_t *changed_s,
                          size_t changed_count);
/* How long runs took; nothing when all took equally long. */
void report_chart_durations(FILE *out, const struct figures_spread *durations);

#endif
