/* tcp_connect.c - a connection of our own, with a deadline.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/tcp_connect.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os_files.h"

#define NS_PER_MS INT64_C(1000000)

struct addrinfo *tcp_connect_resolve(const char *host, uint16_t port, const char **why) {
  struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  char digits[sizeof "65535"];
  int result;

  (void)snprintf(digits, sizeof digits, "%u", (unsigned)port);
  result = getaddrinfo(host, digits, &wanted, &found);
  if (why)
    *why = result == 0 ? NULL : gai_strerror(result);
  return result == 0 ? found : NULL;
}

bool tcp_connect_wait(int fd, short events, int64_t deadline_ns) {
  struct pollfd waited = {.fd = fd, .events = events};

  for (;;) {
    int64_t left_ns = deadline_ns - clock_monotonic_ns();
    int ready = left_ns > 0 ? poll(&waited, 1, (int)(left_ns / NS_PER_MS) + 1) : 0;

    if (ready > 0)
      return true;
    if (ready == 0 || errno != EINTR)
      return false;
  }
}

static int connect_to(const struct addrinfo *address, int64_t deadline_ns) {
  struct os_files_taken taken;
  int fd, failure = 0;
  socklen_t size = sizeof failure;

  os_files_take_standard(&taken);
  fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  os_files_give_back(&taken);
  if (fd < 0)
    return -1;
  if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
    return fd;
  if (errno == EINPROGRESS && tcp_connect_wait(fd, POLLOUT, deadline_ns) &&
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 && failure == 0)
    return fd;
  (void)close(fd);
  return -1;
}

int tcp_connect(const struct addrinfo *addresses, int64_t deadline_ns) {
  int fd = -1;

  for (; addresses && fd < 0; addresses = addresses->ai_next)
    fd = connect_to(addresses, deadline_ns);
  return fd;
}
