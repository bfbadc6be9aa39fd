/* report_svg.h - the report's pictures, as SVG inside the page.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_SVG_H
#define KAIZEN_HOST_REPORT_SVG_H

#include <stdio.h>

#include "report_data.h"

/* Success rate of the last ten and quality, execution by execution; at least two samples. */
void report_svg_history(FILE *out, const struct report_data *data);
/* How long executions took, with its heading; nothing without durations. */
void report_svg_durations(FILE *out, const struct report_data *data);

#endif
