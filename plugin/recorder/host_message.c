/* host_message.c - the recorder's messages to the host's log about one agent.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder/host_message.h"

#include <stdio.h>

#include <kaizen/plugin.h>

void host_message_send(const struct recorder_options *options, const char *agent, int32_t level,
                       enum host_message_id id, const char *text) {
  char message[ERROR_TEXT_MAX + AGENT_NAME_MAX + 8];

  (void)snprintf(message, sizeof message, "%s: %s", agent, text);
  options->messages.send(options->messages.ctx, level, (int32_t)id, message);
}

void host_message_findings(const struct recorder_options *options, const struct agent *agent,
                           struct host_message_told *told) {
  char text[224];

  if (agent->rebuilt != told->rebuilt)
    host_message_send(options, agent->name, KAIZEN_LOG_NOTICE, HOST_MESSAGE_CHECKPOINT_REBUILT,
                      CHECKPOINT_FILE
                      " was missing, damaged or of another log, and was rebuilt from the log");
  if (agent->skipped != told->skipped) {
    (void)snprintf(text, sizeof text, "lines skipped because they are not records: %llu",
                   (unsigned long long)(agent->skipped - told->skipped));
    host_message_send(options, agent->name, KAIZEN_LOG_WARNING, HOST_MESSAGE_LINES_SKIPPED, text);
  }
  if (agent->rewrites != told->rewrites) {
    (void)snprintf(
        text, sizeof text,
        "another program rewrote the log: records: %llu before, %llu after; "
        "marked for events: %llu before, %llu after",
        (unsigned long long)agent->records_before, (unsigned long long)agent->records_after,
        (unsigned long long)agent->marked_before, (unsigned long long)agent->marked_after);
    host_message_send(options, agent->name, KAIZEN_LOG_WARNING, HOST_MESSAGE_LOG_REWRITTEN, text);
  }
  *told = (struct host_message_told){agent->rebuilt, agent->skipped, agent->rewrites};
}
