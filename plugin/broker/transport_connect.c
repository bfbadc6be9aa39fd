/* transport_connect.c - one connection to a NATS broker.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library's own reconnect loop is off.  It ends forever after two refused logins in a row or a
 * first connection that is dropped before the broker spoke (3.4.1), so a loop around it is needed
 * in any case; with one loop instead of two every connection is new, and what was in flight on a
 * broken one has one meaning: not acknowledged.  It gets one server at a time, so that a silent one
 * uses its share of the time and no more. */
#include "broker/transport_connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os_process.h"
#include "broker/connect_attempt.h"
#include "broker/transport_explain.h"
#include "common/server_url.h"

#define SERVERS_MAX 64

struct servers {
  struct server_url list[SERVERS_MAX];
  int count;
  bool secure; /* one is tls://: then none is used in plain text */
};

static int read_servers(const char *urls, struct servers *servers,
                        struct transport_trouble *trouble) {
  struct span rest = {urls, strlen(urls)};
  const char *why;
  int result = 0;

  while (servers->count < SERVERS_MAX &&
         (result = server_url_next(&rest, &servers->list[servers->count], &why)) == 1)
    servers->secure = servers->list[servers->count++].secure || servers->secure;
  if (result >= 0)
    return 0;
  trouble->hopeless = true;
  (void)snprintf(trouble->text, sizeof trouble->text, "nats_url, server %d: %s", servers->count + 1,
                 why);
  return -1;
}

/* So that many clients spread over a cluster; the library's own shuffle would call srand(). */
static void shuffle(int order[SERVERS_MAX], int count) {
  for (int i = 0; i < count; i++)
    order[i] = i;
  for (int i = count - 1; i > 0; i--) {
    int swapped = order[i];
    unsigned random;

    if (os_process_random(&random, sizeof random) != 0)
      return;
    random %= (unsigned)i + 1;
    order[i] = order[random];
    order[random] = swapped;
  }
}

static int64_t share_of(const struct transport_patience *patience, int servers_left) {
  int64_t now_ns = clock_monotonic_ns(), share_ns = (patience->deadline_ns - now_ns) / servers_left;

  if (patience->server_ns > 0) {
    share_ns = patience->deadline_ns - now_ns;
    if (share_ns > patience->server_ns)
      share_ns = patience->server_ns;
  }
  return now_ns + (share_ns > 0 ? share_ns : 0);
}

static natsConnection *try_each(const struct servers *servers, struct connect_attempt_order *order,
                                const struct transport_patience *patience,
                                struct transport_trouble *trouble) {
  natsConnection *connection = NULL;
  int turns[SERVERS_MAX];

  shuffle(turns, servers->count);
  for (int i = 0; i < servers->count && !connection; i++) {
    int64_t until_ns = share_of(patience, servers->count - i);
    struct transport_trouble its = {0};

    if (i > 0 && clock_monotonic_ns() >= patience->deadline_ns)
      break;
    order->server = &servers->list[turns[i]];
    connection = connect_attempt_run(order, until_ns, &its);
    /* "nobody listens" is the least useful reason */
    if (!connection && (i == 0 || trouble->unreachable || !its.unreachable))
      *trouble = its;
  }
  return connection;
}

/* The library would wait for the writer of a FIFO, on a thread that nothing ends. */
static bool readable(const char *key, const char *path, struct transport_trouble *trouble) {
  struct stat status;
  bool found = !path[0] || (access(path, R_OK) == 0 && stat(path, &status) == 0);

  if (!path[0] || (found && S_ISREG(status.st_mode)))
    return true;
  trouble->hopeless = true;
  (void)snprintf(trouble->text, sizeof trouble->text, "%s: cannot read %.90s: %s", key, path,
                 found ? "it is not a regular file" : strerrordesc_np(errno));
  return false;
}

natsConnection *transport_connect(const struct nats_library *nats,
                                  const struct transport_settings *settings,
                                  struct transport_patience patience, natsErrHandler on_error,
                                  natsConnectionHandler on_closed, void *closure,
                                  char url[TRANSPORT_CONNECT_URL_SIZE],
                                  struct transport_trouble *trouble) {
  struct connect_attempt_order order = {.nats = nats,
                                        .settings = settings,
                                        .slow_login = patience.slow_login,
                                        .on_error = on_error,
                                        .on_closed = on_closed,
                                        .closure = closure};
  natsConnection *connection = NULL;
  struct servers *servers;

  if (settings->cert[0] && !settings->key[0]) {
    *trouble = (struct transport_trouble){
        .text = "nats_cert needs nats_key, the private key of that certificate", .hopeless = true};
    return NULL;
  }
  if (!readable("nats_creds", settings->creds, trouble) ||
      !readable("nats_ca", settings->ca, trouble) ||
      !readable("nats_cert", settings->cert, trouble) ||
      !readable("nats_key", settings->key, trouble))
    return NULL;
  servers = calloc(1, sizeof *servers);
  if (!servers) {
    *trouble = (struct transport_trouble){.text = "out of memory"};
    return NULL;
  }
  if (read_servers(settings->url, servers, trouble) == 0) {
    order.secure = servers->secure;
    connection = try_each(servers, &order, &patience, trouble);
    if (connection && url)
      (void)snprintf(url, TRANSPORT_CONNECT_URL_SIZE,
                     order.server->ipv6 ? "nats://[%s]:%u" : "nats://%s:%u", order.server->host,
                     (unsigned)order.server->port);
  }
  explicit_bzero(servers, sizeof *servers);
  free(servers);
  return connection;
}
