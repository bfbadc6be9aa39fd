/* login_filter.c - keeps logins out of what is told.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A broker's text may hold what was sent to it, and may be cut anywhere.  So a part of a secret
 * counts as the secret.  A text that is kept back without need costs a detail; one that is told
 * without right costs the secret. */
#include "broker/login_filter.h"

#include <ctype.h>
#include <string.h>

#include "common/server_url.h"

#define TEXT_MAX 1024 /* more than is ever shown of a text */
/* That much of a secret is enough: half of it, within these limits. */
#define PART_LEAST 4
#define PART_MOST 8
#define NAME_PART 16 /* a user's name alone is not secret */
#define KEY_PART 16  /* of an nkey: capital letters and 2 to 7 */
#define JWT_PART 32  /* of a JWT, or of a signature */

/* A user's name may be a common word, or a part of one. */
static bool has_word(const char *text, const char *word) {
  size_t len = strlen(word);

  for (const char *at = text; len > 0 && (at = strstr(at, word)); at++)
    if ((at == text || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[len]))
      return true;
  return false;
}

/* Have they `part` bytes in a row in common? */
static bool shares(const char *text, const char *secret, size_t part) {
  size_t text_len = strlen(text), len = strlen(secret);

  for (size_t i = 0; part > 0 && i + part <= len; i++)
    if (memmem(text, text_len, secret + i, part))
      return true;
  return false;
}

static bool has_secret(const char *text, const char *secret) {
  size_t len = strlen(secret), part = len / 2;

  if (part > PART_MOST)
    part = PART_MOST;
  if (part < PART_LEAST)
    part = len < PART_LEAST ? len : PART_LEAST;
  return shares(text, secret, part);
}

static bool has_login(const char *text, const struct server_url *server) {
  if (!server->has_user)
    return false;
  if (!server->has_password)
    return has_secret(text, server->user); /* a token */
  return has_secret(text, server->password) || has_word(text, server->user) ||
         shares(text, server->user, NAME_PART);
}

static bool is_of_key(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7');
}

static bool is_of_jwt(char c) {
  return isalnum((unsigned char)c) || c == '-' || c == '_';
}

static bool has_key(const char *text) {
  size_t key = 0, jwt = 0;

  for (; *text && key < KEY_PART && jwt < JWT_PART; text++) {
    key = is_of_key(*text) ? key + 1 : 0;
    jwt = is_of_jwt(*text) ? jwt + 1 : 0;
  }
  return key >= KEY_PART || jwt >= JWT_PART;
}

static bool holds_as_written(const struct transport_settings *settings, const char *text) {
  struct span rest = {settings->url, strlen(settings->url)};
  bool found = settings->creds[0] && has_key(text);
  struct server_url server;
  const char *why;

  while (!found && server_url_next(&rest, &server, &why) == 1)
    found = has_login(text, &server);
  explicit_bzero(&server, sizeof server);
  return found;
}

static int hex_value(const char *digits, size_t count) {
  int value = 0;

  for (size_t i = 0; i < count; i++) {
    unsigned char digit = (unsigned char)digits[i];

    if (!isxdigit(digit))
      return -1;
    value = value * 16 + (isdigit(digit) ? digit - '0' : tolower(digit) - 'a' + 10);
  }
  return value;
}

/* Bytes of the escape at `text`, which stands for *byte; 0: it is none. */
static size_t read_escape(const char *text, char escape, char *byte) {
  static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
  const char *named;
  int value;

  if (*text != escape || !text[1])
    return 0;
  if (escape == '%' || text[1] == 'u') {
    size_t before = escape == '%' ? 1 : 4; /* \u00XX */

    value = escape == '%' || strncmp(text, "\\u00", 4) == 0 ? hex_value(text + before, 2) : -1;
    *byte = (char)value;
    return value > 0 ? before + 2 : 0;
  }
  named = strchr(letters, text[1]);
  *byte = named ? meant[named - letters] : text[1];
  return 2;
}

static void decode(const char *text, char escape, char out[TEXT_MAX + 1]) {
  size_t len = 0;

  while (*text && len < TEXT_MAX) {
    size_t escaped = read_escape(text, escape, &out[len]);

    if (escaped == 0)
      out[len] = *text;
    text += escaped ? escaped : 1;
    len++;
  }
  out[len] = '\0';
}

bool login_filter_holds(const struct transport_settings *settings, const char *text) {
  char decoded[TEXT_MAX + 1];
  bool found = holds_as_written(settings, text);

  for (const char *escape = "%\\"; !found && *escape; escape++) {
    decode(text, *escape, decoded);
    found = holds_as_written(settings, decoded);
  }
  explicit_bzero(decoded, sizeof decoded);
  return found;
}
