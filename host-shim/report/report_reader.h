/* report_reader.h - an agent of the report read in full: its runs and its last failures.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_READER_H
#define KAIZEN_HOST_REPORT_READER_H

#include "host/command.h"
#include "report/agent_rows.h"
#include "report/report_failures.h"

struct report_reader { /* set `host`, the rest zero */
  const struct host *host;
  const char *root; /* of the project that is open; NULL: that of the host */
  bool is_open;
  struct session session;
};

/* Opens the row's project when it is not open.  -1 with *problem: nothing is to be freed. */
int report_reader_read(struct report_reader *reader, const struct agent_row *row,
                       const struct window *window, struct agent_answer *answer,
                       struct report_failures *failures, struct problem *problem);
void report_reader_close(struct report_reader *reader);

#endif
