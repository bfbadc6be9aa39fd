/* test_login_filter.c - which words of a broker may be shown.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "broker/login_filter.h"

static bool holds(const char *url, const char *text) {
  struct transport_settings settings =
      transport_settings_complete(&(struct transport_settings){.url = url});

  return login_filter_holds(&settings, text);
}

static bool holds_key(const char *creds, const char *text) {
  struct transport_settings settings =
      transport_settings_complete(&(struct transport_settings){.url = "host", .creds = creds});

  return login_filter_holds(&settings, text);
}

Test(login_filter, words_without_a_login_may_be_told) {
  static const char text[] = "maximum account active connections exceeded";

  cr_assert_not(holds("host", text));
  cr_assert_not(holds("nats://count:pa55@host", text));
  cr_assert_not(holds("nats://count:@host", text));
  cr_assert_not(holds("nats://T0K3N-of-mine@host", text));
  cr_assert_not(holds_key("user.creds", text));
  cr_assert_not(holds("nats://count:pa55@host", ""));
}

Test(login_filter, a_user_is_a_whole_word_a_password_is_not) {
  static const char url[] = "nats://a@host,tls://count:pa55@other";

  cr_assert(holds(url, "no such user: count"));
  cr_assert(holds(url, "count"));
  cr_assert(holds(url, "xpa55x"));
  cr_assert(holds("nats://a-user-of-many-letters:p@@host", "user-of-many-letters"));
}

/* Whatever part of it the broker or the library left. */
Test(login_filter, a_part_of_a_secret_is_the_secret) {
  char token[147], url[160], text[64];

  for (size_t i = 0; i < sizeof token - 1; i++)
    token[i] = (char)('a' + (i * 7 + i / 26) % 26);
  token[sizeof token - 1] = '\0';
  (void)snprintf(url, sizeof url, "nats://%s@host", token);
  cr_assert(holds(url, token));
  for (size_t len = 8; len < 40; len += 8)
    for (size_t from = 0; from + len < sizeof token; from++) {
      (void)snprintf(text, sizeof text, "bad %.*s", (int)len, token + from);
      cr_assert(holds(url, text), "%s", text);
    }
  cr_assert(holds("nats://u:hunter-22@host", "bad hunt"));
  cr_assert(holds("nats://u:hunter-22@host", "bad er-22"));
  cr_assert_not(holds("nats://u:hunter-22@host", "bad hun"));
  cr_assert(holds("nats://u:xyz@host", "bad xyz"));
  cr_assert_not(holds("nats://u:xyz@host", "bad xy"));
}

/* As the user wrote it, as it is, and as it is sent. */
Test(login_filter, a_login_is_known_in_each_form) {
  static const char url[] = "nats://a%22b:q%22%5C%09%2Fz@host";
  static const char *const forms[] = {"q\"\\\t/z",
                                      "q%22%5C%09%2Fz",
                                      "q%22%5c%09%2fz",
                                      "q\\\"\\\\\\u0009/",
                                      "\"pass\":\"q\\\"\\\\\\t",
                                      "a%22b",
                                      "\"a\\\"b\"",
                                      "no user a\"b"};

  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
    cr_assert(holds(url, forms[i]), "%s", forms[i]);
  cr_assert_not(holds(url, "%"));
  cr_assert_not(holds(url, "100% \\"));
  cr_assert_not(holds(url, "\\u00 %2 \\u0000 %00"));
}

Test(login_filter, what_looks_like_a_key_is_one_where_there_are_credentials) {
  static const char *const texts[] = {"invalid seed SUACSSL3UAHUDXKFSNVUZRF5",
                                      "bad UDXU4RCSJNZOIQHZ",
                                      "\"jwt\":\"eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ",
                                      "sig 7Zt-_kQx1m7Zt-_kQx1m7Zt-_kQx1m7Zt"};

  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    cr_assert(holds_key("user.creds", texts[i]), "%s", texts[i]);
    cr_assert_not(holds_key("", texts[i]), "%s", texts[i]);
  }
}

/* Longer than what is decoded at a time. */
Test(login_filter, a_long_text_is_looked_at) {
  char text[4096];

  memset(text, '%', sizeof text);
  text[sizeof text - 1] = '\0';
  cr_assert_not(holds("nats://u:pa55@host", text));
  memcpy(text + 3000, "pa55", 4);
  cr_assert(holds("nats://u:pa55@host", text));
}
