/* record_call.h - the call that records one execution, its wait for the broker, and the messages
 * about it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RECORD_CALL_H
#define KAIZEN_HOST_RECORD_CALL_H

#include <stdio.h>

#include "host/command.h"
#include "host/record_request.h"
#include "host/session.h"

enum record_event {
  RECORD_EVENT_OFF,
  RECORD_EVENT_PENDING,
  RECORD_EVENT_ACKNOWLEDGED,
  RECORD_EVENT_HELD,
  RECORD_EVENT_DEAD_LETTERED
};

struct record_call {
  const struct host *host;
  FILE *out; /* where the result goes: stdout */
  struct session session;
  bool called;      /* the plugin has answered */
  int32_t result;   /* its answer */
  const char *span; /* the token of the run that the record ends; NULL: none was begun */
  struct kaizen_receipt receipt;
  struct kaizen_summary summary;
  enum record_event event;
  char project[256];      /* the slug in use, "" when unknown */
  char event_reason[160]; /* why the event is not acknowledged */
  char json_agent[128];   /* the agent in the record's JSON, when no option names one */
};

void record_call_init(struct record_call *call, const struct host *host);
/* Opens and starts a session for the request, maps the agent's name when asked to. */
int record_call_open(struct record_call *call, struct record_request *request,
                     struct problem *problem);
/* Records; then waits for the event when there is one.  0 whatever the plugin answered; -1: it
 * was not called. */
int record_call_execution(struct record_call *call, struct record_request *request,
                          struct problem *problem);
int record_call_json(struct record_call *call, struct record_request *request, const char *json,
                     struct problem *problem);
/* Print the result in the form asked for; answer the exit status. */
int record_call_report(struct record_call *call, const struct record_request *request);
int record_call_report_problem(struct record_call *call, const struct record_request *request,
                               const struct problem *problem);
void record_call_close(struct record_call *call);

#endif
