/* peer_sockets.h - the sockets that the NATS library opens, which it does not tell its callers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_PEER_SOCKETS_H
#define KAIZEN_PEER_SOCKETS_H

#include <netdb.h>

#include "broker/nats_library.h"

struct peer_sockets;

/* Notes which sockets to these addresses the process has now.  NULL: out of memory, or too many to
 * tell new ones from. */
struct peer_sockets *peer_sockets_new(const struct addrinfo *peers);
void peer_sockets_free(struct peer_sockets *sockets); /* NULL too */
/* Shuts down the sockets to these addresses that were opened since then, unless there are more than
 * `expected` of them: then some are the host's. */
void peer_sockets_shut(const struct peer_sockets *sockets, unsigned expected);

/* Sets close-on-exec.  The library does not, so every program that the host starts would inherit
 * the socket and keep the connection alive after us. */
void peer_sockets_close_on_exec(const struct nats_library *nats, natsConnection *connection);

#endif
