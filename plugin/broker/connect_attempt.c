/* connect_attempt.c - logging in to one server.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/connect_attempt.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/errand.h"
#include "base/os_files.h"
#include "base/process.h"
#include "broker/login_relay.h"
#include "broker/peer_sockets.h"
#include "broker/tcp_connect.h"
#include "broker/transport_explain.h"

#define WRITE_DEADLINE_MS                                                                          \
  1000 /* without one a frozen broker blocks publish, status and close forever */
#define PING_INTERVAL_MS                                                                           \
  30000 /* of an idle connection: answers to events show as well that it is alive */
#define PINGS_OUT 2
#define LOGIN_ESCAPED_SIZE (6 * SERVER_URL_LOGIN_MAX + 1)
#define NS_PER_MS INT64_C(1000000)
#define SPARE_NS (20 * NS_PER_MS) /* the library's own time-out comes first */

struct attempt {
  const struct nats_library *nats;
  struct transport_settings settings; /* owns its strings: may be left behind */
  struct server_url server;
  bool secure;
  natsErrHandler on_error;
  natsConnectionHandler on_closed;
  void *closure;
  int64_t timeout_ms, deadline_ns;
  bool relayed;        /* through a relay of ours, which allows a slow login */
  uint16_t relay_port; /* the relay's, once it runs; 0: none */
  bool pinged;         /* the login failed because the server pinged meanwhile */

  pthread_mutex_t mutex;
  struct peer_sockets *sockets; /* guarded by it: NULL outside of the library's call */

  natsConnection *connection;
  natsStatus status;
  const char *unresolved; /* why the server's name was not found; static, NULL: it was */
  char said[TRANSPORT_EXPLAIN_SAID_SIZE]; /* by the library or the broker about the failure */
};

/* How many calls of natsConnection_Connect() are running in this process, without its parent's. */
static struct process_state connecting_state = PROCESS_STATE_INITIALIZER;
static unsigned connecting;
static bool logins_are_slow;

static void forget_connecting(void) {
  connecting = 0;
}

/* Answers whether a login of this process was too slow for the library before. */
static bool remember_slow(bool slow) {
  bool known;

  process_state_lock(&connecting_state, forget_connecting);
  logins_are_slow = logins_are_slow || slow;
  known = logins_are_slow;
  process_state_unlock(&connecting_state);
  return known;
}

static unsigned count_connecting(int more) {
  unsigned count;

  process_state_lock(&connecting_state, forget_connecting);
  connecting += (unsigned)more;
  count = connecting;
  process_state_unlock(&connecting_state);
  return count;
}

/* The library puts a login between the quotes of its JSON as it is, in every version so far. */
static void escape_login(const char *login, char out[LOGIN_ESCAPED_SIZE]) {
  for (; *login; login++) {
    if (*login == '"' || *login == '\\') {
      *out++ = '\\';
      *out++ = *login;
    } else if ((unsigned char)*login < ' ') {
      out += sprintf(out, "\\u%04x", (unsigned)*login);
    } else {
      *out++ = *login;
    }
  }
  *out = '\0';
}

static natsStatus set_login(const struct attempt *attempt, natsOptions *options) {
  char user[LOGIN_ESCAPED_SIZE], password[LOGIN_ESCAPED_SIZE];
  natsStatus status;

  escape_login(attempt->server.user, user);
  escape_login(attempt->server.password, password);
  status = attempt->server.has_password
               ? attempt->nats->natsOptions_SetUserInfo(options, user, password)
               : attempt->nats->natsOptions_SetToken(options, user);
  explicit_bzero(user, sizeof user);
  explicit_bzero(password, sizeof password);
  return status;
}

static natsStatus set_server(const struct attempt *attempt, natsOptions *options) {
  const struct nats_library *nats = attempt->nats;
  const struct server_url *server = &attempt->server;
  char url[SERVER_URL_HOST_MAX + 24];
  const char *list[] = {url};
  natsStatus status;

  if (attempt->relay_port != 0)
    (void)snprintf(url, sizeof url, "nats://127.0.0.1:%u", (unsigned)attempt->relay_port);
  else
    (void)snprintf(url, sizeof url, server->ipv6 ? "nats://[%s]:%u" : "nats://%s:%u", server->host,
                   (unsigned)server->port);
  status = nats->natsOptions_SetServers(options, list, 1);
  if (status == NATS_OK)
    status = nats->natsOptions_SetNoRandomize(options, true);
  if (status == NATS_OK && server->has_user)
    status = set_login(attempt, options);
  return status;
}

static natsStatus set_credentials(const struct attempt *attempt, natsOptions *options) {
  const struct nats_library *nats = attempt->nats;
  const struct transport_settings *settings = &attempt->settings;
  natsStatus status = NATS_OK;

  if (settings->creds[0])
    status = nats->natsOptions_SetUserCredentialsFromFiles(options, settings->creds, NULL);
  if (status == NATS_OK && (attempt->secure || settings->ca[0] || settings->cert[0]))
    status = nats->natsOptions_SetSecure(options,
                                         true); /* the library checks the host name by default */
  if (status == NATS_OK && settings->ca[0])
    status = nats->natsOptions_LoadCATrustedCertificates(options, settings->ca);
  if (status == NATS_OK && settings->cert[0])
    status = nats->natsOptions_LoadCertificatesChain(options, settings->cert, settings->key);
  return status;
}

static natsStatus set_manners(const struct attempt *attempt, natsOptions *options) {
  const struct nats_library *nats = attempt->nats;
  natsStatus status = nats->natsOptions_SetName(options, "kaizen-plugin");

  if (status == NATS_OK)
    status = nats->natsOptions_SetTimeout(options, attempt->timeout_ms);
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

static natsStatus set_handlers(const struct attempt *attempt, natsOptions *options) {
  natsStatus status = attempt->nats->natsOptions_SetErrorHandler(
      options, attempt->on_error ? attempt->on_error : ignore_error, attempt->closure);

  if (status == NATS_OK && attempt->on_closed)
    status = attempt->nats->natsOptions_SetClosedCB(options, attempt->on_closed, attempt->closure);
  return status;
}

static void start_relay(struct attempt *attempt) {
  struct addrinfo *found =
      tcp_connect_resolve(attempt->server.host, attempt->server.port, &attempt->unresolved);

  if (found && login_relay_start(found, attempt->deadline_ns, &attempt->relay_port) != 0)
    attempt->relay_port = 0; /* then the library reports why */
  if (found)
    freeaddrinfo(found);
}

/* The same addresses that the library will find for the name. */
static struct peer_sockets *note_sockets(struct attempt *attempt) {
  bool relayed = attempt->relay_port != 0;
  struct addrinfo *found = tcp_connect_resolve(relayed ? "127.0.0.1" : attempt->server.host,
                                               relayed ? attempt->relay_port : attempt->server.port,
                                               &attempt->unresolved);
  struct peer_sockets *sockets;

  if (!found)
    return NULL;
  sockets = peer_sockets_new(found);
  freeaddrinfo(found);
  return sockets;
}

static void connect_noted(struct attempt *attempt, natsOptions *options) {
  struct peer_sockets *sockets = note_sockets(attempt);
  struct os_files_taken taken;

  (void)pthread_mutex_lock(&attempt->mutex);
  attempt->sockets = sockets;
  (void)pthread_mutex_unlock(&attempt->mutex);
  (void)count_connecting(1);
  os_files_take_standard(
      &taken); /* the library's socket must not become one of the host's standard descriptors */
  attempt->status = attempt->nats->natsConnection_Connect(&attempt->connection, options);
  os_files_give_back(&taken);
  if (attempt->status == NATS_OK)
    peer_sockets_close_on_exec(attempt->nats, attempt->connection);
  (void)count_connecting(-1);
  (void)pthread_mutex_lock(&attempt->mutex);
  attempt->sockets = NULL;
  (void)pthread_mutex_unlock(&attempt->mutex);
  peer_sockets_free(sockets);
}

/* "No server" says nothing; why its name was not found does. */
static void keep_said(struct attempt *attempt, const char *text) {
  if (attempt->status == NATS_NO_SERVER)
    text = attempt->unresolved;
  (void)snprintf(attempt->said, sizeof attempt->said, "%s", text ? text : "");
}

static void work(void *ctx) {
  struct attempt *attempt = ctx;
  natsOptions *options = NULL;

  if (attempt->relayed)
    start_relay(attempt);
  attempt->status = attempt->nats->natsOptions_Create(&options);
  if (attempt->status == NATS_OK)
    attempt->status = set_server(attempt, options);
  if (attempt->status == NATS_OK)
    attempt->status = set_credentials(attempt, options);
  if (attempt->status == NATS_OK)
    attempt->status = set_manners(attempt, options);
  if (attempt->status == NATS_OK)
    attempt->status = set_handlers(attempt, options);
  if (attempt->status == NATS_OK)
    connect_noted(attempt, options);
  if (attempt->status != NATS_OK) {
    const char *said = attempt->nats->nats_GetLastError(NULL);

    attempt->pinged = attempt->status == NATS_PROTOCOL_ERROR && said && strstr(said, "'PING");
    keep_said(attempt, said);
  }
  if (options)
    attempt->nats->natsOptions_Destroy(options);
  attempt->nats->nats_ReleaseThreadMemory();
}

static void hurry(void *ctx) {
  struct attempt *attempt = ctx;

  (void)pthread_mutex_lock(&attempt->mutex);
  if (attempt->sockets)
    peer_sockets_shut(attempt->sockets, count_connecting(0));
  (void)pthread_mutex_unlock(&attempt->mutex);
}

static void free_attempt(struct attempt *attempt) {
  explicit_bzero(&attempt->server, sizeof attempt->server);
  transport_settings_fini(&attempt->settings);
  (void)pthread_mutex_destroy(&attempt->mutex);
  free(attempt);
}

static void drop(void *ctx) {
  struct attempt *attempt = ctx;

  if (attempt->connection)
    attempt->nats->natsConnection_Destroy(attempt->connection);
  attempt->nats->nats_ReleaseThreadMemory();
  free_attempt(attempt);
}

static bool is_plain(const struct connect_attempt_order *order) {
  return !order->secure && !order->settings->ca[0] && !order->settings->cert[0];
}

static struct attempt *new_attempt(const struct connect_attempt_order *order, int64_t deadline_ns) {
  struct attempt *attempt = calloc(1, sizeof *attempt);
  int64_t left_ns = deadline_ns - SPARE_NS - clock_monotonic_ns();

  if (!attempt)
    return NULL;
  (void)pthread_mutex_init(&attempt->mutex, NULL);
  attempt->nats = order->nats;
  attempt->deadline_ns = deadline_ns;
  attempt->relayed = order->slow_login && is_plain(order);
  attempt->server = *order->server;
  attempt->secure = order->secure;
  attempt->on_error = order->on_error;
  attempt->on_closed = order->on_closed;
  attempt->closure = order->closure;
  attempt->timeout_ms = left_ns > NS_PER_MS ? left_ns / NS_PER_MS : 1;
  if (transport_settings_copy(&attempt->settings, order->settings))
    return attempt;
  free_attempt(attempt);
  return NULL;
}

/* One try.  NULL with *trouble; *pinged: the server pinged during a slow login, and the library
 * gave up. */
static natsConnection *try_login(const struct connect_attempt_order *order, int64_t deadline_ns,
                                 bool *pinged, struct transport_trouble *trouble) {
  static const struct errand errand = {.work = work, .hurry = hurry, .drop = drop};
  struct attempt *attempt = new_attempt(order, deadline_ns);
  natsConnection *connection = NULL;
  int result = attempt ? errand_run(&errand, attempt, deadline_ns) : -1;

  *pinged = result == 0 && attempt->pinged;
  if (result == 0 && attempt->status == NATS_OK) {
    connection = attempt->connection;
  } else if (result < 0) {
    *trouble = (struct transport_trouble){.text = "no memory or no thread to log in to the broker"};
  } else {
    bool late = result == 1 || clock_monotonic_ns() >= deadline_ns;

    transport_explain(order->nats, order->settings, late ? NATS_TIMEOUT : attempt->status, 0,
                      late ? NULL : attempt->said, trouble);
  }
  if (attempt && result != 1)
    free_attempt(attempt);
  return connection;
}

natsConnection *connect_attempt_run(const struct connect_attempt_order *order, int64_t deadline_ns,
                                    struct transport_trouble *trouble) {
  struct connect_attempt_order patient = *order;
  natsConnection *connection;
  bool pinged;

  patient.slow_login = order->slow_login || remember_slow(false);
  connection = try_login(&patient, deadline_ns, &pinged, trouble);
  if (!pinged || patient.slow_login)
    return connection;
  (void)remember_slow(true);
  patient.slow_login = true;
  return try_login(&patient, deadline_ns, &pinged, trouble);
}
