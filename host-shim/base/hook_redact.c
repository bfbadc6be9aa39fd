/* hook_redact.c - which parts of a payload may be stored: words and short texts, never a secret or
 * an address.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hook_redact.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8_text.h"

enum {
  RANDOM_RUN_MIN = 32, /* hosts have shorter ids that also mix cases and digits */
  PREFIX_TAIL_MIN = 12 /* what follows a credential's prefix */
};

static const char *const prefixes[] = {
    "sk-",   "sk_live_", "sk_test_", "rk_live_",    "pk_live_", "ghp_",  "gho_",
    "ghu_",  "ghs_",     "ghr_",     "github_pat_", "glpat-",   "xoxa-", "xoxb-",
    "xoxp-", "xoxs-",    "xapp-",    "AKIA",        "ASIA",     "AIza",  "ya29.",
    "npm_",  "pypi-",    "hf_",      "dop_v1_",     "SG.",      "eyJ",   "whsec_",
};

static const char *const names[] = {"password",   "passwd",        "passphrase", "secret",
                                    "token",      "api_key",       "apikey",     "api-key",
                                    "access_key", "authorization", "credential", "bearer"};

static bool is_name_character(char c) {
  return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static bool is_word_character(char c) {
  return isalnum((unsigned char)c) || (c != '\0' && strchr("._:/+=@#-", c));
}

bool hook_redact_is_word(const char *text, size_t max) {
  size_t len = 0;

  while (is_word_character(text[len]))
    len++;
  return len > 0 && len <= max && text[len] == '\0';
}

bool hook_redact_is_model(const char *text, size_t max) {
  size_t len = 0;

  while (is_word_character(text[len]) || (text[len] != '\0' && strchr(" []()", text[len])))
    len++;
  return len > 0 && len <= max && text[len] == '\0';
}

static size_t run_length(const char *text) {
  size_t len = 0;

  while (is_name_character(text[len]) || text[len] == '.')
    len++;
  return len;
}

static bool has_prefixed_secret(const char *text) {
  for (const char *at = text; *at != '\0'; at++) {
    if (at > text && is_name_character(at[-1]))
      continue;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
      size_t len = strlen(prefixes[i]);

      if (strncmp(at, prefixes[i], len) == 0 && run_length(at + len) >= PREFIX_TAIL_MIN)
        return true;
    }
  }
  return strstr(text, "-----BEGIN ") != NULL;
}

/* "password=...", "Authorization: ...", "--token ...": the name, then a separator, then
 * something. */
static bool has_named_secret(const char *text) {
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    for (const char *at = strcasestr(text, names[i]); at; at = strcasestr(at + 1, names[i])) {
      const char *after = at + strlen(names[i]);
      after += strspn(after, "\"' \t");
      if ((*after == '=' || *after == ':') && after[1] != '\0')
        return true;
      if (strcasecmp(names[i], "bearer") == 0 && run_length(after) >= PREFIX_TAIL_MIN)
        return true;
    }
  }
  return false;
}

static bool has_url_password(const char *text) {
  for (const char *at = strstr(text, "://"); at; at = strstr(at + 3, "://")) {
    size_t user = strcspn(at + 3, "/@: \t\n");
    const char *colon = at + 3 + user;

    if (*colon == '@' || (*colon == ':' && colon[1 + strcspn(colon + 1, "/@ \t\n")] == '@'))
      return true;
  }
  return false;
}

static bool has_address(const char *text) {
  for (const char *at = strchr(text, '@'); at; at = strchr(at + 1, '@')) {
    size_t host = run_length(at + 1);

    if (at > text && (isalnum((unsigned char)at[-1]) || strchr("._+-", at[-1])) &&
        memchr(at + 1, '.', host))
      return true;
  }
  return false;
}

/* A long run that mixes upper case, lower case and digits: keys look like that; UUIDs, hashes and
 * sentences do not. */
static bool has_random_run(const char *text) {
  for (const char *at = text; *at != '\0';) {
    size_t len = 0;
    bool upper = false, lower = false, digit = false;

    for (; isalnum((unsigned char)at[len]) || (at[len] != '\0' && strchr("+/_-=", at[len]));
         len++) {
      upper = upper || isupper((unsigned char)at[len]);
      lower = lower || islower((unsigned char)at[len]);
      digit = digit || isdigit((unsigned char)at[len]);
    }
    if (len >= RANDOM_RUN_MIN && upper && lower && digit)
      return true;
    at += len > 0 ? len : 1;
  }
  return false;
}

bool hook_redact_is_secret(const char *text) {
  return has_prefixed_secret(text) || has_named_secret(text) || has_url_password(text) ||
         has_address(text) || has_random_run(text);
}

void hook_redact_text(const char *text, char out[HOOK_TEXT_MAX + 1]) {
  size_t len = 0;

  if (hook_redact_is_secret(text)) {
    strcpy(out, HOOK_REDACTED);
    return;
  }
  while (text[len] != '\0') {
    size_t character = utf8_text_character(text + len);

    if (character == 0 || len + character > HOOK_TEXT_MAX)
      break;
    len += character;
  }
  memcpy(out, text, len);
  out[len] = '\0';
}
