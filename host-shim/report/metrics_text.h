/* metrics_text.h - samples in Prometheus' text format.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_METRICS_TEXT_H
#define KAIZEN_HOST_METRICS_TEXT_H

#include <stdio.h>

void metrics_text_begin(FILE *out, const char *name, const char *type, const char *help);
/* NAME="VALUE" with the necessary escapes, then `end`. */
void metrics_text_label(FILE *out, const char *name, const char *value, const char *end);
/* The shortest text of the number, and the line's end. */
void metrics_text_value(FILE *out, double value);

#endif
