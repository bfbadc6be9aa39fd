/* report_failures.c - an agent's last failures, each with its reason and session.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_failures.h"

#include <string.h>

#include "report/agent_history.h"

int report_failures_read(struct session *session, const char *agent, const struct window *window,
                         struct report_failures *failures, struct problem *problem) {
  struct agent_history history;

  memset(failures, 0, sizeof *failures);
  if (agent_history_read(session, agent, window, REPORT_FAILURES_RECORDS_MAX, &history, problem) <
      0)
    return -1;
  for (size_t i = history.line_count; i > 0 && failures->count < REPORT_FAILURES_MAX; i--) {
    const char *line = history.lines[i - 1];
    struct record_told *told = &failures->list[failures->count];

    record_members_tell((struct span){line, strlen(line)}, told);
    failures->count += !told->success;
  }
  agent_history_free(&history);
  return 0;
}
