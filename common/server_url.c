/* server_url.c - a broker's address as people write it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common/server_url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_PORT 4222
#define PORT_MAX 65535

static int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

/* `out` has room for SERVER_URL_LOGIN_MAX bytes and a NUL.  NULL, or why not. */
static const char *decode_login(struct span text, char *out) {
  size_t len = 0;

  for (size_t i = 0; i < text.len; i++) {
    char byte = text.ptr[i];

    if (byte == '%') {
      int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
      int low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;

      if (high == 0 && low == 0)
        return "a user or password cannot hold %00";
      if (high < 0 || low < 0)
        return "in a user or password, two hexadecimal digits follow each %; write % as %25";
      byte = (char)(high << 4 | low);
      i += 2;
    } else if (byte == ' ' || byte == '\t') {
      return "a blank in a user or password is written as %20";
    }
    if (len == SERVER_URL_LOGIN_MAX)
      return "the user or password is too long";
    out[len++] = byte;
  }
  out[len] = '\0';
  return NULL;
}

static const char *read_login(struct span text, struct server_url *server) {
  const char *colon = memchr(text.ptr, ':', text.len), *why;
  struct span user = {text.ptr, colon ? (size_t)(colon - text.ptr) : text.len};

  server->has_user = true;
  server->has_password = colon != NULL;
  why = decode_login(user, server->user);
  if (!why && colon)
    why = decode_login((struct span){colon + 1, text.len - user.len - 1}, server->password);
  if (!why && user.len == 0)
    why = "no user before the @";
  return why;
}

static const char *read_port(struct span text, struct server_url *server) {
  unsigned port = 0;

  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9')
      return "the port is not a number; in a user or password write a comma as %2C, @ as %40";
    port = port * 10 + (unsigned)(text.ptr[i] - '0');
    if (port > PORT_MAX)
      break;
  }
  if (port < 1 || port > PORT_MAX)
    return "the port is not from 1 to 65535";
  server->port = (uint16_t)port;
  return NULL;
}

static bool is_host_byte(char c, bool ipv6) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_' || (ipv6 && (c == ':' || c == '%'));
}

static const char *read_host(struct span text, struct server_url *server) {
  if (text.len == 0)
    return "no host";
  if (text.len > SERVER_URL_HOST_MAX)
    return "the host is too long";
  for (size_t i = 0; i < text.len; i++)
    if (!is_host_byte(text.ptr[i], server->ipv6))
      return text.ptr[i] == ' '
                 ? "it contains a blank; separate servers with commas"
                 : "the host has an illegal character; in a user or password write a comma as %2C";
  memcpy(server->host, text.ptr, text.len);
  server->host[text.len] = '\0';
  return NULL;
}

/* HOST[:PORT][/] or [IPV6][:PORT][/] */
static const char *read_address(struct span text, struct server_url *server) {
  const char *slash = memchr(text.ptr, '/', text.len), *end, *colon, *why;
  struct span host;

  if (slash && slash + 1 < text.ptr + text.len)
    return "something follows the host and port; only a / may";
  if (slash)
    text.len--;
  end = text.ptr + text.len;
  server->ipv6 = text.len > 0 && text.ptr[0] == '[';
  if (server->ipv6) {
    const char *bracket = memchr(text.ptr, ']', text.len);

    if (!bracket || (bracket + 1 < end && bracket[1] != ':'))
      return "an IPv6 address is written as [ADDRESS]:PORT";
    host = (struct span){text.ptr + 1, (size_t)(bracket - text.ptr - 1)};
    colon = bracket + 1 < end ? bracket + 1 : NULL;
  } else {
    colon = memchr(text.ptr, ':', text.len);
    host = (struct span){text.ptr, colon ? (size_t)(colon - text.ptr) : text.len};
    if (colon && memchr(colon + 1, ':', (size_t)(end - colon - 1)))
      return "an IPv6 address is written as [ADDRESS]:PORT";
  }
  why = read_host(host, server);
  server->port = DEFAULT_PORT;
  if (!why && colon)
    why = read_port((struct span){colon + 1, (size_t)(end - colon - 1)}, server);
  return why;
}

/* "nats:/host", "nats//host": without this, "nats" would be the host or the user. */
static bool has_half_scheme(struct span text) {
  const char *end = memchr(text.ptr, '/', text.len);
  size_t before = end && end + 1 < text.ptr + text.len ? (size_t)(end - text.ptr) : 0;

  if (before > 0 && text.ptr[before - 1] == ':')
    before--;
  return (before == 4 && strncasecmp(text.ptr, "nats", 4) == 0) ||
         (before == 3 && strncasecmp(text.ptr, "tls", 3) == 0);
}

static const char *read_item(struct span text, struct server_url *server) {
  const char *mark = memmem(text.ptr, text.len, "://", 3), *at, *why;

  if (text.len == 0)
    return "an entry is empty between, before or after commas";
  if (mark) {
    size_t scheme = (size_t)(mark - text.ptr);

    server->secure = scheme == 3 && strncasecmp(text.ptr, "tls", 3) == 0;
    if (!server->secure && !(scheme == 4 && strncasecmp(text.ptr, "nats", 4) == 0))
      return "only nats:// and tls:// are supported";
    text = (struct span){mark + 3, text.len - scheme - 3};
  }
  if (!mark && has_half_scheme(text))
    return "before the host stands nats:// or tls://";
  at = memrchr(text.ptr, '@', text.len);
  if (at) {
    size_t login = (size_t)(at - text.ptr);

    why = read_login((struct span){text.ptr, login}, server);
    if (why)
      return why;
    text = (struct span){at + 1, text.len - login - 1};
  }
  return read_address(text, server);
}

static struct span trim(struct span text) {
  while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
    text.ptr++;
    text.len--;
  }
  while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
    text.len--;
  return text;
}

int server_url_next(struct span *list, struct server_url *server, const char **why) {
  const char *comma;
  struct span item;

  if (!list->ptr)
    return 0;
  comma = memchr(list->ptr, ',', list->len);
  item = (struct span){list->ptr, comma ? (size_t)(comma - list->ptr) : list->len};
  *list = comma ? (struct span){comma + 1, list->len - item.len - 1} : (struct span){NULL, 0};
  memset(server, 0, sizeof *server);
  *why = read_item(trim(item), server);
  return *why ? -1 : 1;
}
