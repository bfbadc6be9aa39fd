/* broker_server.h - whether a server takes events at all.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BROKER_SERVER_H
#define KAIZEN_BROKER_SERVER_H

#include "broker/nats_library.h"
#include "broker/transport.h"

/* headers and envelope, with names of one letter and with the longest */
enum { BROKER_SERVER_EVENT_LEAST = 320, BROKER_SERVER_EVENT_MOST = 768 };

/* False with *trouble when what the server said in its greeting excludes every event. */
bool broker_server_takes_events(const struct nats_library *nats, natsConnection *connection,
                                struct transport_trouble *trouble);

/* Has the broker denied a message on a subject that has `part` in it? */
bool broker_server_denied(const struct nats_library *nats, natsConnection *connection,
                          const char *part);

/* Does the broker permit what was sent on a subject that has `part` in it?  It denies it before it
 * answers a ping that comes later.  NATS_OK, NATS_NOT_PERMITTED, or why that is unknown. */
natsStatus broker_server_await_leave(const struct nats_library *nats, natsConnection *connection,
                                     const char *part, int64_t timeout_ms);
/* The same for a message on that subject: `probe` is sent, and destroyed. */
natsStatus broker_server_ask_leave(const struct nats_library *nats, natsConnection *connection,
                                   natsMsg *probe, const char *subject, int64_t deadline_ns);

/* May this user receive answers?  Answers as above. */
natsStatus broker_server_ask_hearing(const struct nats_library *nats, natsConnection *connection,
                                     int64_t deadline_ns);

/* Has the account room for an event in files, or in memory?  1: it has; 0 with *trouble: it has
 * not; -1 with *trouble: unknown.  Waits until a fifth of a second after the server would have
 * answered a ping, or the CLOCK_MONOTONIC deadline. */
int broker_server_has_room(const struct nats_library *nats, natsConnection *connection,
                           bool in_memory, int64_t deadline_ns, struct transport_trouble *trouble);

#endif
