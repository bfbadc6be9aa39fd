/* broker_report.h - kaizen.broker/1's reports: fetched and shown.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_BROKER_REPORT_H
#define KAIZEN_HOST_BROKER_REPORT_H

#include <json-c/json.h>

#include "host/session.h"

/* 0: events can be published.  -1: *problem says why not (EXIT_CODE_UNDELIVERABLE).  *report, which
 * the caller puts, may be set in both cases, and is NULL when the plugin could not make one. */
int broker_report_check(struct session *session, double timeout_s, struct json_object **report,
                        struct problem *problem);
struct broker_report_init { /* as kaizen_broker_1.init */
  const char *stream;       /* NULL: the default */
  uint32_t replicas;
  bool dry_run;
  double timeout_s;
};
int broker_report_init(struct session *session, const struct broker_report_init *init,
                       struct json_object **report, struct problem *problem);
void broker_report_print(struct json_object *report);

#endif
