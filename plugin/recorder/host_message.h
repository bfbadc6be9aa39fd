/* host_message.h - what the recorder tells the host's log about one agent.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_MESSAGE_H
#define KAIZEN_HOST_MESSAGE_H

#include "recorder/options.h"
#include "store/agent.h"

struct host_message_told { /* what of an agent's findings has been told; zeroed first */
  uint64_t rebuilt, skipped, rewrites;
};

/* "<agent>: <text>".  level: KAIZEN_LOG_*. */
void host_message_send(const struct recorder_options *options, const char *agent, int32_t level,
                       enum message_id id, const char *text);
/* What was found wrong with the agent's files since it was last told. */
void host_message_findings(const struct recorder_options *options, const struct agent *agent,
                           struct host_message_told *told);

#endif
