/* transport_connect.h - one connection to a NATS broker.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the transport and by broker.c. */
#ifndef KAIZEN_TRANSPORT_CONNECT_H
#define KAIZEN_TRANSPORT_CONNECT_H

#include "broker/nats_library.h"
#include "broker/transport.h"

struct transport_patience {
  int64_t deadline_ns; /* CLOCK_MONOTONIC, for all servers together */
  int64_t server_ns;   /* at most this long for one of them; 0: an even share */
  bool slow_login;     /* expect a slow login at once, not only after one was seen */
};

#define TRANSPORT_CONNECT_URL_SIZE 300

/* Tries one server of nats_url after another, in any order; every signal blocked.  The handlers may
 * be NULL; `closure` goes to both, also after a failure: it must not be freed.  The connection
 * never reconnects; `url` (may be NULL) gets the server's, without login.  NULL with *trouble. */
natsConnection *transport_connect(const struct nats_library *nats,
                                  const struct transport_settings *settings,
                                  struct transport_patience patience, natsErrHandler on_error,
                                  natsConnectionHandler on_closed, void *closure,
                                  char url[TRANSPORT_CONNECT_URL_SIZE],
                                  struct transport_trouble *trouble);

#endif
