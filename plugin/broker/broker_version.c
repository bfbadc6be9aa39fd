/* broker_version.c - which version a NATS broker is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_version.h"

#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker/tcp_connect.h"
#include "common/buffer.h"
#include "common/json_reader.h"
#include "common/server_url.h"

#define GREETING "INFO "
#define GREETING_MAX 8192

/* One line, without its end.  0 when none came. */
static size_t read_greeting(int fd, char *line, int64_t deadline_ns) {
  size_t len = 0;

  while (len < GREETING_MAX && tcp_connect_wait(fd, POLLIN, deadline_ns)) {
    ssize_t got = recv(fd, line + len, GREETING_MAX - len, 0);
    char *newline;

    if (got <= 0)
      break;
    newline = memchr(line + len, '\r', (size_t)got);
    len += (size_t)got;
    if (newline)
      return (size_t)(newline - line);
  }
  return 0;
}

static void find_version(struct span greeting, char version[BROKER_VERSION_MAX]) {
  struct json_reader cursor;
  struct json_member member;
  struct buffer text = {0};

  if (json_reader_open(&cursor, greeting, JSON_LENIENT, JSON_DEPTH_MAX, NULL) != 0)
    return;
  while (json_reader_next(&cursor, &member, NULL) == 1) {
    if (!json_value_is_named(&member, "version") || member.value.type != JSON_STRING)
      continue;
    buffer_clear(&text);
    json_value_decode(member.value, &text);
    if (!text.failed)
      (void)snprintf(version, BROKER_VERSION_MAX, "%.*s", (int)strnlen(text.data, text.len),
                     text.data);
  }
  buffer_fini(&text);
}

void broker_version_read(const char *url, int64_t deadline_ns, char version[BROKER_VERSION_MAX]) {
  struct span list = {url, strlen(url)};
  char greeting[GREETING_MAX];
  struct addrinfo *found;
  struct server_url server;
  const char *why;
  size_t len;
  int fd;

  version[0] = '\0';
  if (server_url_next(&list, &server, &why) != 1)
    return;
  found = tcp_connect_resolve(server.host, server.port, NULL);
  if (!found)
    return;
  fd = tcp_connect(found, deadline_ns);
  freeaddrinfo(found);
  if (fd < 0)
    return;
  len = read_greeting(fd, greeting, deadline_ns);
  (void)close(fd);
  if (len > sizeof GREETING - 1 && memcmp(greeting, GREETING, sizeof GREETING - 1) == 0)
    find_version((struct span){greeting + sizeof GREETING - 1, len - (sizeof GREETING - 1)},
                 version);
}
