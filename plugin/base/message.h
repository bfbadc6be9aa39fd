/* message.h - what the plugin tells the host's log: ids are stable, texts are for people.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * docs/operations.md lists the ids. */
#ifndef KAIZEN_MESSAGE_H
#define KAIZEN_MESSAGE_H

#include <stdint.h>

enum message_id {
  MESSAGE_SUMMARY_NOT_WRITTEN = 101,
  MESSAGE_CHECKPOINT_REBUILT = 102,
  MESSAGE_LINES_SKIPPED = 103,
  MESSAGE_PRUNED = 104,
  MESSAGE_PRUNE_FAILED = 105,
  MESSAGE_RECORD_FAILED = 106,
  MESSAGE_REJECTED = 107,
  MESSAGE_FOREIGN_BYTES = 108,
  MESSAGE_NO_PUBLISHER = 109,
  MESSAGE_LOG_REWRITTEN = 110,
  /* 201 and up belong to the publisher */
};

/* Queues one message; any thread, any lock held.  level: KAIZEN_LOG_*. */
struct message_sink {
  void (*send)(void *ctx, int32_t level, int32_t id, const char *text);
  void *ctx;
};

#endif
