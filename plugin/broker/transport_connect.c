/* transport_connect.c - one connection to a NATS broker.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library's own reconnect loop is off.  It ends for ever after two refused logins in a row or a
 * first connection that is dropped before the broker spoke (3.4.1), so a loop around it is needed
 * in any case; with one loop instead of two every connection is new, and what was in flight on a
 * broken one has one meaning: not acknowledged. */
#include "broker/transport_connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/transport_explain.h"

#include "base/os_files.h"
#include "base/os_process.h"

#define CONNECT_TIMEOUT_MS 2000
#define WRITE_DEADLINE_MS                                                                          \
  1000 /* without one a frozen broker blocks publish, status and close for ever */
#define PING_INTERVAL_MS 3000
#define PINGS_OUT 2
#define SERVERS_MAX 64

/* Splits `list` at its commas and shuffles it, so that many clients spread over a cluster; the
 * library's own shuffle would call srand(). */
static int split_servers(char *list, const char *servers[SERVERS_MAX]) {
  char *rest = list, *name;
  int count = 0;

  while (count < SERVERS_MAX && (name = strsep(&rest, ",")) != NULL) {
    name += strspn(name, " \t");
    name[strcspn(name, " \t")] = '\0';
    if (*name)
      servers[count++] = name;
  }
  for (int i = count - 1; i > 0; i--) {
    const char *swapped = servers[i];
    unsigned random;

    if (os_process_random(&random, sizeof random) != 0)
      break;
    random %= (unsigned)i + 1;
    servers[i] = servers[random];
    servers[random] = swapped;
  }
  return count;
}

static natsStatus set_servers(const struct nats_library *nats, natsOptions *options,
                              const char *url, bool *secure) {
  const char *servers[SERVERS_MAX];
  char *list = strdup(url);
  natsStatus status;
  int count;

  if (!list)
    return NATS_NO_MEMORY;
  count = split_servers(list, servers);
  for (int i = 0; i < count; i++) /* given as a list, the library takes tls:// for nats:// */
    if (strncasecmp(servers[i], "tls://", 6) == 0)
      *secure = true;
  status = count > 0 ? nats->natsOptions_SetServers(options, servers, count) : NATS_INVALID_ARG;
  if (status == NATS_OK)
    status = nats->natsOptions_SetNoRandomize(options, true);
  free(list);
  return status;
}

static natsStatus set_credentials(const struct nats_library *nats, natsOptions *options,
                                  const struct transport_settings *settings, bool secure) {
  natsStatus status = NATS_OK;

  if (settings->creds[0])
    status = nats->natsOptions_SetUserCredentialsFromFiles(options, settings->creds, NULL);
  if (status == NATS_OK && (secure || settings->ca[0] || settings->cert[0]))
    status = nats->natsOptions_SetSecure(options,
                                         true); /* the library checks the host name by default */
  if (status == NATS_OK && settings->ca[0])
    status = nats->natsOptions_LoadCATrustedCertificates(options, settings->ca);
  if (status == NATS_OK && settings->cert[0])
    status = nats->natsOptions_LoadCertificatesChain(options, settings->cert, settings->key);
  return status;
}

static natsStatus set_manners(const struct nats_library *nats, natsOptions *options) {
  natsStatus status = nats->natsOptions_SetName(options, "kaizen-plugin");

  if (status == NATS_OK)
    status = nats->natsOptions_SetTimeout(options, CONNECT_TIMEOUT_MS);
  if (status == NATS_OK)
    status = nats->natsOptions_SetNoEcho(options, true);
  if (status == NATS_OK)
    status = nats->natsOptions_SetAllowReconnect(options, false);
  if (status == NATS_OK)
    status = nats->natsOptions_SetReconnectBufSize(options, 0);
  if (status == NATS_OK)
    status = nats->natsOptions_SetWriteDeadline(options, WRITE_DEADLINE_MS);
  if (status == NATS_OK)
    status = nats->natsOptions_SetPingInterval(options, PING_INTERVAL_MS);
  if (status == NATS_OK)
    status = nats->natsOptions_SetMaxPingsOut(options, PINGS_OUT);
  if (status == NATS_OK)
    status = nats->natsOptions_SetIgnoreDiscoveredServers(options, true);
  return status;
}

/* Later versions print errors to stderr when there is no handler. */
static void ignore_error(natsConnection *connection, natsSubscription *subscription,
                         natsStatus status, void *closure) {
  (void)connection;
  (void)subscription;
  (void)status;
  (void)closure;
}

static natsStatus set_handlers(const struct nats_library *nats, natsOptions *options,
                               natsErrHandler on_error, natsConnectionHandler on_closed,
                               void *closure) {
  natsStatus status =
      nats->natsOptions_SetErrorHandler(options, on_error ? on_error : ignore_error, closure);

  if (status == NATS_OK && on_closed)
    status = nats->natsOptions_SetClosedCB(options, on_closed, closure);
  return status;
}

static bool readable(const char *key, const char *path, struct transport_trouble *trouble) {
  if (!path[0] || access(path, R_OK) == 0)
    return true;
  trouble->hopeless = true;
  (void)snprintf(trouble->text, sizeof trouble->text, "%s: cannot read %.100s: %s", key, path,
                 strerrordesc_np(errno));
  return false;
}

/* Is it the socket with this local address? */
static bool is_bound_to(int fd, const char *ip, int port) {
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
  return ntohs(found) == port && inet_ntop(address.ss_family, bytes, text, sizeof text) &&
         strcmp(text, ip) == 0;
}

struct local_address {
  const char *ip;
  int port;
};

static void close_bound_on_exec(void *ctx, int fd) {
  const struct local_address *address = ctx;

  if (is_bound_to(fd, address->ip, address->port))
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The library leaves its sockets open to every program that the host starts, which would keep the
 * connection alive after us; it does not say which descriptor is its own, but what is bound to the
 * connection's local address is. */
static void close_on_exec(const struct nats_library *nats, natsConnection *connection) {
  char *ip = NULL;
  int port;

  if (nats->natsConnection_GetLocalIPAndPort(connection, &ip, &port) != NATS_OK)
    return;
  os_process_each_descriptor(close_bound_on_exec, &(struct local_address){ip, port});
  free(ip);
}

/* The library's first socket is above the host's standard descriptors; those of a later server in
 * its list too, since connecting is one call. */
static natsStatus connect_above_standard(const struct nats_library *nats,
                                         natsConnection **connection, natsOptions *options) {
  struct os_files_taken taken;
  natsStatus status;

  os_files_take_standard(&taken);
  status = nats->natsConnection_Connect(connection, options);
  os_files_give_back(&taken);
  return status;
}

natsConnection *transport_connect(const struct nats_library *nats,
                                  const struct transport_settings *settings,
                                  natsErrHandler on_error, natsConnectionHandler on_closed,
                                  void *closure, struct transport_trouble *trouble) {
  natsConnection *connection = NULL;
  natsOptions *options = NULL;
  bool secure = false;
  natsStatus status;

  if (!readable("nats_creds", settings->creds, trouble) ||
      !readable("nats_ca", settings->ca, trouble) ||
      !readable("nats_cert", settings->cert, trouble) ||
      !readable("nats_key", settings->key, trouble))
    return NULL;
  status = nats->natsOptions_Create(&options);
  if (status == NATS_OK)
    status = set_servers(nats, options, settings->url, &secure);
  if (status == NATS_OK)
    status = set_credentials(nats, options, settings, secure);
  if (status == NATS_OK)
    status = set_manners(nats, options);
  if (status == NATS_OK)
    status = set_handlers(nats, options, on_error, on_closed, closure);
  if (status == NATS_OK)
    status = connect_above_standard(nats, &connection, options);
  if (options)
    nats->natsOptions_Destroy(options);
  if (status == NATS_OK) {
    close_on_exec(nats, connection);
    return connection;
  }
  transport_explain(nats, settings, status, 0, trouble);
  return NULL;
}
