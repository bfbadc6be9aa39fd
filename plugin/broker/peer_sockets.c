/* peer_sockets.c - the sockets that the NATS library opens.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/peer_sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/os_process.h"

#define PEERS_MAX 16
#define KNOWN_MAX 64

struct peer_sockets {
  struct sockaddr_storage peers[PEERS_MAX];
  size_t peer_count;
  ino_t known[KNOWN_MAX]; /* there before */
  size_t known_count;
};

static bool is_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b) {
  if (a->ss_family != b->ss_family)
    return false;
  if (a->ss_family == AF_INET) {
    const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;

    return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
  }
  if (a->ss_family == AF_INET6) {
    const struct sockaddr_in6 *x = (const void *)a, *y = (const void *)b;

    return x->sin6_port == y->sin6_port &&
           memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0;
  }
  return false;
}

static bool leads_to_peer(const struct peer_sockets *sockets, int fd) {
  struct sockaddr_storage address = {0};
  socklen_t len = sizeof address;

  if (getpeername(fd, (struct sockaddr *)&address, &len) != 0)
    return false;
  for (size_t i = 0; i < sockets->peer_count; i++)
    if (is_same_address(&address, &sockets->peers[i]))
      return true;
  return false;
}

static void note_known(void *ctx, int fd) {
  struct peer_sockets *sockets = ctx;
  struct stat status;

  if (!leads_to_peer(sockets, fd) || fstat(fd, &status) != 0)
    return;
  if (sockets->known_count < KNOWN_MAX)
    sockets->known[sockets->known_count] = status.st_ino;
  sockets->known_count++;
}

struct peer_sockets *peer_sockets_new(const struct addrinfo *peers) {
  struct peer_sockets *sockets = calloc(1, sizeof *sockets);

  if (!sockets)
    return NULL;
  for (; peers && sockets->peer_count < PEERS_MAX; peers = peers->ai_next)
    if (peers->ai_addrlen <= sizeof sockets->peers[0])
      memcpy(&sockets->peers[sockets->peer_count++], peers->ai_addr, peers->ai_addrlen);
  os_process_each_descriptor(note_known, sockets);
  if (sockets->known_count <= KNOWN_MAX)
    return sockets;
  free(sockets);
  return NULL;
}

void peer_sockets_free(struct peer_sockets *sockets) {
  free(sockets);
}

struct fresh {
  const struct peer_sockets *sockets;
  int fds[KNOWN_MAX];
  unsigned count;
};

/* A socket that somebody else uses is close-on-exec by then; the library's new one is not. */
static void note_fresh(void *ctx, int fd) {
  struct fresh *fresh = ctx;
  struct stat status;
  int flags = fcntl(fd, F_GETFD);

  if (flags < 0 || (flags & FD_CLOEXEC) || !leads_to_peer(fresh->sockets, fd) ||
      fstat(fd, &status) != 0)
    return;
  for (size_t i = 0; i < fresh->sockets->known_count; i++)
    if (fresh->sockets->known[i] == status.st_ino)
      return;
  if (fresh->count < KNOWN_MAX)
    fresh->fds[fresh->count] = fd;
  fresh->count++;
}

void peer_sockets_shut(const struct peer_sockets *sockets, unsigned expected) {
  struct fresh fresh = {.sockets = sockets};

  os_process_each_descriptor(note_fresh, &fresh);
  if (fresh.count > expected || fresh.count > KNOWN_MAX)
    return;
  for (unsigned i = 0; i < fresh.count; i++)
    (void)shutdown(fresh.fds[i], SHUT_RDWR);
}

/* ---- a connection's own ---------------------------------------------------------------------- */

struct local_address {
  const char *ip;
  int port;
};

static bool is_bound_to(int fd, const struct local_address *local) {
  struct sockaddr_storage address;
  socklen_t len = sizeof address;
  char text[INET6_ADDRSTRLEN];
  const void *bytes;
  in_port_t found;

  if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
    return false;
  if (address.ss_family == AF_INET) {
    bytes = &((const struct sockaddr_in *)&address)->sin_addr;
    found = ((const struct sockaddr_in *)&address)->sin_port;
  } else if (address.ss_family == AF_INET6) {
    bytes = &((const struct sockaddr_in6 *)&address)->sin6_addr;
    found = ((const struct sockaddr_in6 *)&address)->sin6_port;
  } else {
    return false;
  }
  return ntohs(found) == local->port && inet_ntop(address.ss_family, bytes, text, sizeof text) &&
         strcmp(text, local->ip) == 0;
}

static void close_bound_on_exec(void *ctx, int fd) {
  if (is_bound_to(fd, ctx))
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void peer_sockets_close_on_exec(const struct nats_library *nats, natsConnection *connection) {
  char *ip = NULL;
  int port;

  if (nats->natsConnection_GetLocalIPAndPort(connection, &ip, &port) != NATS_OK)
    return;
  os_process_each_descriptor(close_bound_on_exec, &(struct local_address){ip, port});
  free(ip);
}
