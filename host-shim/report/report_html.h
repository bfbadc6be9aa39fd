/* report_html.h - one self-contained page about a project: no network, light and dark, fit to
 * print.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_HTML_H
#define KAIZEN_HOST_REPORT_HTML_H

#include <stdio.h>

#include <json-c/json.h>

#include "report/figures.h"
#include "report/report_data.h"

/* `delivery` is kaizen.inspect/1's report. */
void report_html_begin(FILE *out, struct json_object *delivery);
void report_html_agent(FILE *out, struct json_object *delivery, const char *agent,
                       const struct report_data *data, const struct figures_changes *changes);
void report_html_end(FILE *out);

#endif
