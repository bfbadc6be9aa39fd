/* message.h - where messages for people go.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each layer that sends messages numbers its own; the ids are stable, and docs/operations.md lists
 * them. */
#ifndef KAIZEN_MESSAGE_H
#define KAIZEN_MESSAGE_H

#include <stdint.h>

/* Queues one message; any thread, any lock held.  level: as syslog. */
struct message_sink {
  void (*send)(void *ctx, int32_t level, int32_t id, const char *text);
  void *ctx;
};

#endif
