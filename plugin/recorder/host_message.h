/* host_message.h - the recorder's messages to the host's log about one agent.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_MESSAGE_H
#define KAIZEN_HOST_MESSAGE_H

#include "recorder/options.h"
#include "store/agent.h"

enum host_message_id {
  HOST_MESSAGE_SUMMARY_NOT_WRITTEN = 101,
  HOST_MESSAGE_CHECKPOINT_REBUILT = 102,
  HOST_MESSAGE_LINES_SKIPPED = 103,
  HOST_MESSAGE_PRUNED = 104,
  HOST_MESSAGE_PRUNE_FAILED = 105,
  HOST_MESSAGE_FOREIGN_BYTES = 108,
  HOST_MESSAGE_LOG_REWRITTEN = 110,
  HOST_MESSAGE_ROOT_MOVED = 112
};

struct host_message_told { /* which findings about an agent have been reported; zeroed first */
  uint64_t rebuilt, skipped, rewrites;
};

/* "<agent>: <text>".  level: KAIZEN_LOG_*. */
void host_message_send(const struct recorder_options *options, const char *agent, int32_t level,
                       enum host_message_id id, const char *text);
/* Reports what was found wrong with the agent's files since the last report. */
void host_message_findings(const struct recorder_options *options, const struct agent *agent,
                           struct host_message_told *told);

#endif
