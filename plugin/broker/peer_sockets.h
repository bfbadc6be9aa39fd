/* peer_sockets.h - the sockets that the NATS library opens, which it does not name.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_PEER_SOCKETS_H
#define KAIZEN_PEER_SOCKETS_H

#include <netdb.h>

#include "broker/nats_library.h"

struct peer_sockets;

/* Takes down which sockets to these addresses the process has now.  NULL: out of memory, or too
 * many to tell new ones from. */
struct peer_sockets *peer_sockets_new(const struct addrinfo *peers);
void peer_sockets_free(struct peer_sockets *sockets); /* NULL too */
/* Shuts those that were opened to these addresses since then, unless there are more than `expected`
 * of them: then some are the host's. */
void peer_sockets_shut(const struct peer_sockets *sockets, unsigned expected);

/* The library leaves its sockets open to every program that the host starts, which would keep the
 * connection alive after us: closes this one then. */
void peer_sockets_close_on_exec(const struct nats_library *nats, natsConnection *connection);

#endif
