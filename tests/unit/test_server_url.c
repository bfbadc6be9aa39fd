/* test_server_url.c - a broker's address as people write it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "common/server_url.h"

static struct server_url server;
static const char *why;

static int read_first(const char *text) {
  struct span list = {text, strlen(text)};

  return server_url_next(&list, &server, &why);
}

Test(server_url, is_taken_in_every_form) {
  static const struct {
    const char *text, *host;
    uint16_t port;
    bool secure, ipv6;
  } cases[] = {
      {"nats://a:1", "a", 1, false, false},
      {"a", "a", 4222, false, false},
      {"a:65535", "a", 65535, false, false},
      {"NATS://a/", "a", 4222, false, false},
      {"tls://a:7/", "a", 7, true, false},
      {" nats://a.b-c_d:9 ", "a.b-c_d", 9, false, false},
      {"nats://[::1]", "::1", 4222, false, true},
      {"[fe80::1%eth0]:5", "fe80::1%eth0", 5, false, true},
      {"nats:4222/", "nats", 4222, false, false},
      {"nats/", "nats", 4222, false, false},
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_assert_eq(read_first(cases[i].text), 1, "%s: %s", cases[i].text, why);
    cr_assert_str_eq(server.host, cases[i].host, "%s", cases[i].text);
    cr_assert_eq(server.port, cases[i].port, "%s: %u", cases[i].text, server.port);
    cr_assert_eq(server.secure, cases[i].secure, "%s", cases[i].text);
    cr_assert_eq(server.ipv6, cases[i].ipv6, "%s", cases[i].text);
    cr_assert_not(server.has_user, "%s", cases[i].text);
  }
}

Test(server_url, decodes_a_login_once) {
  static const struct {
    const char *text, *user, *password; /* NULL: a token */
  } cases[] = {
      {"nats://u:p%40ss@a", "u", "p@ss"},        {"nats://u:p@ss@a", "u", "p@ss"},
      {"nats://u:a%2541b@a", "u", "a%41b"},      {"nats://u:a%2Cb@a", "u", "a,b"},
      {"nats://u:a/b?c#d@a:1/", "u", "a/b?c#d"}, {"nats://u:x:y@a", "u", "x:y"},
      {"nats://t%20k@a", "t k", NULL},           {"nats://u:@a", "u", ""},
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_assert_eq(read_first(cases[i].text), 1, "%s: %s", cases[i].text, why);
    cr_assert_str_eq(server.user, cases[i].user, "%s", cases[i].text);
    cr_assert_eq(server.has_password, cases[i].password != NULL, "%s", cases[i].text);
    cr_assert_str_eq(server.password, cases[i].password ? cases[i].password : "", "%s",
                     cases[i].text);
    cr_assert_str_eq(server.host, "a", "%s", cases[i].text);
  }
}

Test(server_url, says_what_is_wrong_without_repeating_it) {
  static const struct {
    const char *text, *why;
  } cases[] = {
      {"", "an entry is empty"},
      {" ", "an entry is empty"},
      {"ws://a", "nats:// and tls://"},
      {"http://u:secret@a", "nats:// and tls://"},
      {"nats://", "no host"},
      {"nats://a:0", "1 to 65535"},
      {"nats://a:99999", "1 to 65535"},
      {"nats://a:", "1 to 65535"},
      {"nats://u:secret", "%2C"},
      {"nats://a b", "blank"},
      {"nats://u:sec ret@a", "%20"},
      {"nats://u:secret%@a", "%25"},
      {"nats://u:secret%zz@a", "%25"},
      {"nats://u:%00@a", "%00"},
      {"nats://a/secret", "follows"},
      {"nats://a:1?x", "%2C"},
      {"nats://::1", "[ADDRESS]"},
      {"nats://[::1", "[ADDRESS]"},
      {"nats://[::1]x", "[ADDRESS]"},
      {"nats://a;nats://b", "follows"},
      {"nats://:secret@a", "no user"},
      {"nats://a|b", "character"},
      {"nats:/u:secret@a", "nats://"},
      {"nats//a", "nats://"},
      {"TLS:/a", "tls://"},
      {"nats://u:%x1secret@a", "%25"},
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_assert_eq(read_first(cases[i].text), -1, "'%s'", cases[i].text);
    cr_assert(strstr(why, cases[i].why), "'%s': %s", cases[i].text, why);
    cr_assert_null(strstr(why, "secret"), "'%s': %s", cases[i].text, why);
  }
}

Test(server_url, walks_a_list_to_its_end) {
  struct span list = {"nats://a:1, tls://b , c", 23};

  cr_assert_eq(server_url_next(&list, &server, &why), 1);
  cr_assert_eq(server_url_next(&list, &server, &why), 1);
  cr_assert_str_eq(server.host, "b");
  cr_assert_eq(server_url_next(&list, &server, &why), 1);
  cr_assert_str_eq(server.host, "c");
  cr_assert_eq(server_url_next(&list, &server, &why), 0);
}
