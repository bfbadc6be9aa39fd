/* connect_attempt.h - logging in to one server, with a deadline that holds.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * natsConnection_Connect() of libnats 3.4 never returns when a server falls silent after its
 * greeting: it spins, or waits in the TLS handshake.  So it is called on a thread that is left
 * behind at the deadline, after its socket was shut, which ends the call and with it the thread. */
#ifndef KAIZEN_CONNECT_ATTEMPT_H
#define KAIZEN_CONNECT_ATTEMPT_H

#include "broker/nats_library.h"
#include "broker/transport.h"
#include "common/server_url.h"

struct connect_attempt_order {
  const struct nats_library *nats;
  const struct transport_settings *settings;
  const struct server_url *server;
  bool secure;
  bool slow_login;                 /* the login may last until the deadline; without TLS */
  natsErrHandler on_error;         /* NULL: errors are ignored */
  natsConnectionHandler on_closed; /* NULL: not reported */
  void *closure;                   /* of both handlers; may be used after a failure, so it must not
                                    * be freed */
};

/* The connection, which never reconnects.  NULL with *trouble by the CLOCK_MONOTONIC deadline. */
natsConnection *connect_attempt_run(const struct connect_attempt_order *order, int64_t deadline_ns,
                                    struct transport_trouble *trouble);

#endif
