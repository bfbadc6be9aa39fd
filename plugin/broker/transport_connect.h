/* transport_connect.h - one connection to a NATS broker.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the transport and by broker.c. */
#ifndef KAIZEN_TRANSPORT_CONNECT_H
#define KAIZEN_TRANSPORT_CONNECT_H

#include "broker/nats_library.h"
#include "broker/transport.h"

/* Connects within some seconds, every signal blocked.  The handlers may be NULL; `closure` goes to
 * both.  The connection never reconnects.  NULL with *trouble. */
natsConnection *transport_connect(const struct nats_library *nats,
                                  const struct transport_settings *settings,
                                  natsErrHandler on_error, natsConnectionHandler on_closed,
                                  void *closure, struct transport_trouble *trouble);

#endif
