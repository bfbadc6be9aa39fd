/* report_failures.c - an agent's last failures, each with its reason and session.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_failures.h"

#include <stdio.h>
#include <string.h>

#include "base/json_text.h"
#include "host/report_text.h"
#include "report/agent_history.h"

static void take_failure(struct report_failures *failures, struct json_object *record) {
  struct json_object *metadata = report_text_member(record, "metadata");
  struct report_failure *failure = &failures->list[failures->count++];

  snprintf(failure->ended, sizeof failure->ended, "%s",
           report_text_string(record, "timestamp", ""));
  snprintf(failure->reason, sizeof failure->reason, "%s",
           report_text_string(metadata, "error_type", report_text_string(metadata, "outcome", "")));
  snprintf(failure->session_id, sizeof failure->session_id, "%s",
           report_text_string(record, "session_id", ""));
}

int report_failures_read(struct session *session, const char *agent, const struct window *window,
                         struct report_failures *failures, struct problem *problem) {
  struct agent_history history;

  memset(failures, 0, sizeof *failures);
  if (agent_history_read(session, agent, window, REPORT_FAILURES_RECORDS_MAX, &history, problem) <
      0)
    return -1;
  for (size_t i = history.line_count; i > 0 && failures->count < REPORT_FAILURES_MAX; i--) {
    size_t at = 0;
    const char *description = NULL;
    const char *line = history.lines[i - 1];
    struct json_object *record = json_text_parse(line, strlen(line), &at, &description);

    if (record && !json_object_get_boolean(report_text_member(record, "success")))
      take_failure(failures, record);
    json_object_put(record);
  }
  agent_history_free(&history);
  return 0;
}
