/* transport.h - what the publisher needs of a broker.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One connection, used by one thread; it never reconnects by itself: when connected() says no,
 * close it and open another. Every send is answered once through answers(), or not at all when the
 * connection breaks first. */
#ifndef KAIZEN_TRANSPORT_H
#define KAIZEN_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/transport_settings.h"
#include "common/buffer.h"

#define TRANSPORT_WINDOW 4096 /* unanswered events at a time */

/* Why something did not work; text is printable and free of credentials. */
struct transport_trouble {
  char text[160];
  bool hopeless;    /* will not go away within a second or two */
  bool unreachable; /* nobody listens at the address */
};

enum transport_outcome {
  TRANSPORT_ACKNOWLEDGED,
  TRANSPORT_FAILED,   /* send it again: the cause is the broker, the stream or the network, not this
                       * event */
  TRANSPORT_DECLINED, /* send it again: the cause may be this event */
  TRANSPORT_REFUSED,  /* permanently: the cause is this event */
};
struct transport_answer {
  uint64_t ticket;
  enum transport_outcome outcome;
  bool duplicate;
  uint64_t sequence;    /* in the stream; 0 without one */
  uint64_t stream_hash; /* of the stream that gave it, and its domain; 0 without one */
  const char *reason;   /* REFUSED: why; static */
};

enum transport_sent {
  TRANSPORT_SENT,
  TRANSPORT_TOO_LARGE, /* refused permanently */
  TRANSPORT_NOT_SENT,  /* *trouble says why */
};

struct transport;
/* Called on a thread of the transport when answers wait or the connection broke. */
typedef void (*transport_wake)(void *ctx);

struct transport_kind {
  /* Connects, within 15 seconds.  NULL with *trouble.  The strings of `settings` must outlive
   * it. */
  struct transport *(*open)(const struct transport_settings *settings, transport_wake wake,
                            void *ctx, struct transport_trouble *trouble);
  /* No wake and no answer after it.  May take two seconds with a frozen broker. */
  void (*close)(struct transport *transport);
  bool (*connected)(struct transport *transport, struct transport_trouble *trouble);
  /* `id` goes with it as the message id.  At most TRANSPORT_WINDOW unanswered. */
  enum transport_sent (*send)(struct transport *transport, uint64_t ticket, const char *id,
                              struct span payload, struct transport_trouble *trouble);
  /* Everything sent is on its way; without a stream: has arrived, and is answered. */
  void (*flush)(struct transport *transport);
  /* Asks the broker, for half a second, why nothing is acknowledged; *trouble stays as it is when
   * the broker does not say. */
  void (*why)(struct transport *transport, struct transport_trouble *trouble);
  /* Asks, for half a second, whether the stream is useless: it refuses every event for its size, or
   * acknowledges events and stores none.  1 with *trouble: it is; 0: it is not; -1: unknown. */
  int (*useless)(struct transport *transport, struct transport_trouble *trouble);
  /* Asks, for a fifth of a second, whether the stream that acknowledged last holds the message `id`
   * under that sequence: 1 it does, 0 it holds another one there or ends before, 2 that message is
   * gone, -1 unknown. */
  int (*holds)(struct transport *transport, uint64_t sequence, const char *id);
  /* Takes up to `max` answers.  *trouble is filled when one of them failed or was declined. */
  size_t (*answers)(struct transport *transport, struct transport_answer *answers, size_t max,
                    struct transport_trouble *trouble);
};

#endif
