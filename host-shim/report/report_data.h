/* report_data.h - an agent's executions as numbers, for the report.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_DATA_H
#define KAIZEN_HOST_REPORT_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/session.h"
#include "report/window.h"

enum { REPORT_SAMPLES_MAX = 5000, REPORT_FAILURES_MAX = 10 };

struct report_sample {
  char ended[24]; /* as the log has it */
  bool success;
  double quality;    /* negative: none */
  double duration_s; /* negative: none */
};
struct report_failure {
  char ended[24];
  char reason[120]; /* metadata error_type, else outcome, else "" */
  char session_id[80];
};
struct report_data {
  struct kaizen_summary summary;
  struct report_sample *samples; /* the last REPORT_SAMPLES_MAX, oldest first */
  size_t sample_count;
  struct report_failure failures[REPORT_FAILURES_MAX]; /* newest first */
  size_t failure_count;
};

/* The samples are those of the window, the summary is that of the whole log. */
int report_data_read(struct session *session, const char *agent, const struct window *window,
                     struct report_data *data, struct problem *problem);
void report_data_free(struct report_data *data);

#endif
