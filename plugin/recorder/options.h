/* options.h - what every part of the recorder gets: the project and its settings.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_RECORDER_OPTIONS_H
#define KAIZEN_RECORDER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "store/project.h"

struct recorder_options {
  const struct project *project; /* open as long as the recorder is */
  const char *slug;              /* the project's name in events; likewise */
  bool sync;                     /* fsync: always */
  unsigned trend_window;
  int64_t lock_timeout_ms, retention_days;
  struct message_sink messages;
  /* After the commit of marked lines, no lock held; may be NULL. */
  void (*marked)(void *ctx, const char *agent);
  void *marked_ctx;
};

#endif
