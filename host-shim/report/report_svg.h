/* report_svg.h - the report's pictures: SVG inside the page, stretched to its width, with labels
 * beside it that keep the size of text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_SVG_H
#define KAIZEN_HOST_REPORT_SVG_H

#include <stdio.h>

#include "report/report_data.h"

/* What the pictures need of the page's style sheet. */
extern const char report_svg_style[];
/* Success rate and quality over the last ten, execution by execution, with a legend; nothing for
 * fewer than two samples. */
void report_svg_history(FILE *out, const struct report_data *data);
/* How long executions took; nothing without durations. */
void report_svg_durations(FILE *out, const struct report_data *data);

#endif
