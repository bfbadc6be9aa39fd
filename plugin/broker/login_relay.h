/* login_relay.h - works around the NATS library's short time-out during login.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A server pings a client two seconds after it connects, even when it has not finished its login: a
 * slow password hash, a callout, a far resolver.  libnats takes that PING for a refusal, in every
 * version so far.  So a login that may be slow goes through a relay of ours on the loopback, which
 * answers such a PING itself and passes on everything else; without TLS only. */
#ifndef KAIZEN_LOGIN_RELAY_H
#define KAIZEN_LOGIN_RELAY_H

#include <netdb.h>
#include <stdint.h>

/* Connects to one of the addresses by the CLOCK_MONOTONIC deadline, and relays one connection to
 * 127.0.0.1:*port to it, on a thread that ends with it.  0; -1: nobody listens there, or there is
 * no descriptor or thread for it. */
int login_relay_start(const struct addrinfo *addresses, int64_t deadline_ns, uint16_t *port);

#endif
