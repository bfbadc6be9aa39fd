/* report_text.h - the plugin's reports, which are JSON text, and the plain structs as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_TEXT_H
#define KAIZEN_HOST_REPORT_TEXT_H

#include <json-c/json.h>

#include "host/session.h"

/* A text that a sink grows; zero it, free `text`. */
struct report_text {
  char *text;
  size_t len, room;
};
int32_t report_text_sink(void *report_text, const char *data, size_t len);
/* What a sink collected as one JSON document; frees the text.  NULL with *problem naming `what`. */
struct json_object *report_text_parse(struct report_text *report, const char *what,
                                      struct problem *problem);

/* kaizen.inspect/1's reports; the caller puts *report.  -1 with *problem. */
int report_text_delivery(struct session *session, struct json_object **report,
                         struct problem *problem);
int report_text_config(struct session *session, struct json_object **report,
                       struct problem *problem);

/* The agent's own entry in a delivery report. */
bool report_text_is_listed(struct json_object *report, const char *agent);

/* Members of a report, with a default where they are missing or of another type. */
const char *report_text_string(struct json_object *object, const char *name, const char *otherwise);
uint64_t report_text_count(struct json_object *object, const char *name);
double report_text_number(struct json_object *object, const char *name, double otherwise);
struct json_object *report_text_member(struct json_object *object, const char *name);

/* As summary.json has it. */
struct json_object *report_text_summary(const struct kaizen_summary *summary);
const char *report_text_trend(int32_t trend);

#endif
