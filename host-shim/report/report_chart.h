/* report_chart.h - the report's pictures: SVG inside the page, stretched to its width, with labels
 * beside it that keep the size of text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_CHART_H
#define KAIZEN_HOST_REPORT_CHART_H

#include <stdio.h>

#include "report/figures.h"

/* Success and quality, the number of runs and their cost over time: all columns cover the same
 * length of time, and one without runs stays empty.  `changed_s` is marked (negative: nothing is).
 * Nothing is drawn for fewer than two runs. */
void report_chart_history(FILE *out, struct run_slice slice, int64_t changed_s);
/* How long runs took; nothing when all took equally long. */
void report_chart_durations(FILE *out, const struct figures_spread *durations);

#endif
