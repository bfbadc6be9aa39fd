/* broker_stream.h - the stream that takes our subject: which one it is, and what it tells.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Asked over $JS.API in raw JSON: the library's structs lack fields that newer servers send. */
#ifndef KAIZEN_BROKER_STREAM_H
#define KAIZEN_BROKER_STREAM_H

#include "broker/nats_library.h"
#include "broker/transport.h"
#include "common/buffer.h"

#define BROKER_STREAM_NAME_MAX 255

enum broker_stream_state {
  BROKER_STREAM_UNKNOWN, /* nobody answered, or asking is not permitted */
  BROKER_STREAM_NO_JETSTREAM,
  BROKER_STREAM_NONE,
  BROKER_STREAM_UNHEARD, /* nobody listens on the subject, and nobody answers about streams */
  BROKER_STREAM_NAMED,   /* it exists but says nothing about itself: perhaps it has no leader */
  BROKER_STREAM_KNOWN,   /* its configuration was read */
  BROKER_STREAM_BEYOND,  /* it answered for the subject but cannot be queried: it belongs to another
                          * account or server, or the subject is mapped */
  BROKER_STREAM_LISTENED /* somebody listens on the subject, and nobody answers for a stream */
};

struct broker_stream {
  enum broker_stream_state state;
  natsStatus status;                     /* of the last question: why UNKNOWN, UNHEARD or NAMED */
  bool electing;                         /* the cluster says that it cannot answer right now */
  char name[BROKER_STREAM_NAME_MAX + 1]; /* "": none, or not reported */
  struct buffer subjects;                /* a JSON array; empty when it was not reported */
  /* of KNOWN; less than 0: not reported */
  int64_t replicas, duplicates_ns;
  int64_t max_messages, max_bytes, max_message_bytes; /* -1: no limit, too */
  int64_t max_of_subject; /* more new messages are refused; -1: no limit */
  int64_t messages, bytes, consumers;
  int64_t of_subject;   /* how many messages our subject has; asked only when there is a limit */
  const char *unread;   /* a member of its answer that is not what it must be; NULL: none */
  struct buffer untold; /* KNOWN: the members that it should have told, with ", " between them */
  bool in_memory, no_ack, sealed, discards_new, wants_interest;
};

/* It becomes part of the subjects that ask about the stream.  Names of streams hold no quotes. */
bool broker_stream_is_name(struct span name);
/* Which stream takes our subject, and its configuration. */
void broker_stream_find(const struct nats_library *nats, natsConnection *connection,
                        int64_t deadline_ns, struct broker_stream *stream);
/* The configuration of the stream of that name: KNOWN or NONE; else the state stays. */
void broker_stream_read(const struct nats_library *nats, natsConnection *connection,
                        const char *name, int64_t deadline_ns, struct broker_stream *stream);
/* May this user publish on our subject?  NATS_OK, NATS_NOT_PERMITTED, or why that is unknown.
 * Sends a message without data that every stream must refuse, because it expects a stream that
 * cannot exist. */
natsStatus broker_stream_ask_leave(const struct nats_library *nats, natsConnection *connection,
                                   int64_t deadline_ns);
/* A stream that cannot be queried may exist all the same: behind an import, a mapping, a leaf node.
 * Where none was found, sends that message as a request, and corrects what is known. */
void broker_stream_try(const struct nats_library *nats, natsConnection *connection,
                       int64_t deadline_ns, struct broker_stream *stream);
void broker_stream_fini(struct broker_stream *stream);

/* How a stream is named from here. */
struct broker_stream_place {
  char domain[64]; /* "": the connection's own */
  char name[BROKER_STREAM_NAME_MAX + 1];
};
bool broker_stream_place_is(const struct broker_stream_place *place, const char *domain,
                            const char *name);
void broker_stream_place_set(struct broker_stream_place *place, const char *domain,
                             const char *name);
/* 1: it holds the message with this id under that sequence; 0: it holds another one there, or ends
 * before; 2: it has later ones, and that message is gone; -1: unknown. */
int broker_stream_holds(const struct nats_library *nats, natsConnection *connection,
                        const struct broker_stream_place *place, uint64_t sequence, const char *id,
                        int64_t deadline_ns);

#endif
