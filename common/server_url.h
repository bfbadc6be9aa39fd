/* server_url.h - a broker's address as people write it.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * [nats://|tls://][USER[:PASSWORD]@|TOKEN@]HOST[:PORT][/], several with commas between.  The last @
 * of an item ends its login.  In a login %XX is one byte: libraries differ in whether they decode
 * it, so it is decoded here, and they never see it. */
#ifndef KAIZEN_COMMON_SERVER_URL_H
#define KAIZEN_COMMON_SERVER_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

enum { SERVER_URL_HOST_MAX = 255, SERVER_URL_LOGIN_MAX = 4095 };

struct server_url {
  bool secure;                        /* tls:// */
  bool ipv6;                          /* the host stood in brackets, which are left out */
  char host[SERVER_URL_HOST_MAX + 1]; /* a name, or an address */
  uint16_t port;
  bool has_user, has_password; /* a user without a password is a token */
  char user[SERVER_URL_LOGIN_MAX + 1], password[SERVER_URL_LOGIN_MAX + 1];
};

/* Takes the first item off *list.  1 with *server; 0: the list is at its end; -1 with *why, a text
 * that quotes nothing of the item, which may hold a password. */
int server_url_next(struct span *list, struct server_url *server, const char **why);

#endif
