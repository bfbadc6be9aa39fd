/* tcp_connect.h - a connection of our own, with a deadline.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TCP_CONNECT_H
#define KAIZEN_TCP_CONNECT_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

/* The host's addresses, for freeaddrinfo().  NULL with *why, which is static; `why` may be NULL. */
struct addrinfo *tcp_connect_resolve(const char *host, uint16_t port, const char **why);
/* A connected socket, not blocking and closed on exec, to the first address that answers; -1 when
 * none answers by the CLOCK_MONOTONIC deadline. */
int tcp_connect(const struct addrinfo *addresses, int64_t deadline_ns);
/* Waits for poll()'s events; false at the deadline. */
bool tcp_connect_wait(int fd, short events, int64_t deadline_ns);

#endif
