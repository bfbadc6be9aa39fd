/* login_relay.c - works around the NATS library's short time-out during login.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/login_relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os_files.h"
#include "base/os_process.h"
#include "broker/tcp_connect.h"

#define CHUNK_BYTES 65536
#define STACK_BYTES (256u << 10)
#define LINE_MAX_BYTES 65536 /* an INFO of a large cluster is some thousand bytes */
#define ACCEPT_MS 1000
#define STUCK_MS 10000 /* a side that accepts nothing for so long is given up */

struct relay {
  int listener, server, client;
  bool logged_in;    /* from here on everything is passed on as it comes */
  size_t line_bytes; /* in `line`, from the server, before that */
  char line[LINE_MAX_BYTES];
  char chunk[CHUNK_BYTES];
};

static void close_relay(struct relay *relay) {
  const int fds[] = {relay->listener, relay->server, relay->client};

  for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
    if (fds[i] >= 0)
      (void)close(fds[i]);
  free(relay);
}

static bool send_all(int fd, const char *bytes, size_t len) {
  while (len > 0) {
    struct pollfd waited = {.fd = fd, .events = POLLOUT};
    ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

    if (sent < 0 && errno == EAGAIN && poll(&waited, 1, STUCK_MS) > 0)
      continue;
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      return false;
    bytes += sent;
    len -= (size_t)sent;
  }
  return true;
}

/* Reads a whole line from the server.  False: the connection is over. */
static bool take_line(struct relay *relay) {
  bool is_ping = relay->line_bytes >= 4 && memcmp(relay->line, "PING", 4) == 0;
  bool passed;

  if (relay->line_bytes >= 4 && memcmp(relay->line, "PONG", 4) == 0)
    relay->logged_in = true;
  passed = is_ping ? send_all(relay->server, "PONG\r\n", 6)
                   : send_all(relay->client, relay->line, relay->line_bytes);
  relay->line_bytes = 0;
  return passed;
}

static bool filter(struct relay *relay, const char *bytes, size_t len) {
  size_t i = 0;

  while (i < len && !relay->logged_in) {
    if (relay->line_bytes == sizeof relay->line)
      return false;
    relay->line[relay->line_bytes++] = bytes[i++];
    if (bytes[i - 1] == '\n' && !take_line(relay))
      return false;
  }
  return i == len || send_all(relay->client, bytes + i, len - i);
}

/* False at the end of either side. */
static bool pass_on(struct relay *relay, int from) {
  ssize_t got = recv(from, relay->chunk, sizeof relay->chunk, 0);

  if (got < 0 && (errno == EINTR || errno == EAGAIN))
    return true;
  if (got <= 0)
    return false;
  return from == relay->server ? filter(relay, relay->chunk, (size_t)got)
                               : send_all(relay->server, relay->chunk, (size_t)got);
}

static void do_not_gather(int fd) {
  const int on = 1;

  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void *run(void *ctx) {
  struct relay *relay = ctx;
  struct pollfd waited[2] = {{.fd = relay->listener, .events = POLLIN}};
  struct os_files_taken taken;
  bool goes_on;

  os_process_name_thread("kaizen-login");
  if (poll(waited, 1, ACCEPT_MS) > 0) {
    os_files_take_standard(&taken);
    relay->client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    os_files_give_back(&taken);
  }
  (void)close(relay->listener);
  relay->listener = -1;
  goes_on = relay->client >= 0;
  do_not_gather(relay->server);
  do_not_gather(relay->client);
  waited[0] = (struct pollfd){.fd = relay->server, .events = POLLIN};
  waited[1] = (struct pollfd){.fd = relay->client, .events = POLLIN};
  while (goes_on && (poll(waited, 2, -1) > 0 || errno == EINTR))
    for (int i = 0; i < 2 && goes_on; i++)
      if (waited[i].revents != 0)
        goes_on = pass_on(relay, waited[i].fd);
  close_relay(relay);
  return NULL;
}

static int listen_on_loopback(uint16_t *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  struct os_files_taken taken;
  int fd;

  os_files_take_standard(&taken);
  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  os_files_give_back(&taken);
  if (fd < 0)
    return -1;
  if (bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 1) == 0 &&
      getsockname(fd, (struct sockaddr *)&address, &len) == 0) {
    *port = ntohs(address.sin_port);
    return fd;
  }
  (void)close(fd);
  return -1;
}

int login_relay_start(const struct addrinfo *addresses, int64_t deadline_ns, uint16_t *port) {
  struct relay *relay = calloc(1, sizeof *relay);
  pthread_attr_t attributes;
  pthread_t ignored;
  int result;

  if (!relay)
    return -1;
  relay->listener = relay->client = -1;
  relay->server = tcp_connect(addresses, deadline_ns);
  if (relay->server >= 0)
    relay->listener = listen_on_loopback(port);
  if (relay->listener < 0 || pthread_attr_init(&attributes) != 0) {
    close_relay(relay);
    return -1;
  }
  (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
  (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  result = pthread_create(&ignored, &attributes, run, relay);
  (void)pthread_attr_destroy(&attributes);
  if (result == 0)
    return 0;
  close_relay(relay);
  return -1;
}
