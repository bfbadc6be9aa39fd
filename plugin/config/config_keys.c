/* config_keys.c - the table of keys; everything else about configuration follows from it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config_keys.h"

#include <kaizen/plugin.h>

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/distance.h"
#include "common/server_url.h"
#include "common/utf8.h"

#define SWITCH(field, default_text, doc)                                                           \
  {                                                                                                \
#field, CONFIG_TYPE_SWITCH, offsetof(struct config, field), 0, 0,                              \
        {NULL }, default_text, doc, false                                                          \
  }
#define NUMBER(field, min, max, default_text, doc)                                                 \
  {                                                                                                \
#field, CONFIG_TYPE_NUMBER, offsetof(struct config, field), min, max,                          \
        {NULL }, default_text, doc, false                                                          \
  }
#define WORD(field, first, second, default_text, doc)                                              \
  {                                                                                                \
#field, CONFIG_TYPE_WORD, offsetof(struct config, field), 0, 0,                                \
        {first, second }, default_text, doc, false                                                 \
  }
#define TEXT(field, type, max, doc)                                                                \
  { #field, type, offsetof(struct config, field), 0, max, {NULL }, "", doc, false }
#define PATH(field, doc) TEXT(field, CONFIG_TYPE_PATH, PATH_MAX - 1, doc)
#define CREDENTIAL(field, doc)                                                                     \
  {                                                                                                \
#field, CONFIG_TYPE_PATH, offsetof(struct config, field), 0, PATH_MAX - 1,                     \
        {NULL }, "", doc, true                                                                     \
  }

/* clang-format off */
const struct config_key config_keys[CONFIG_KEY_COUNT] = {
  PATH(project_root,
       "The project's folder, an absolute path; its logs are in .kaizen/metrics/."),
  TEXT(project, CONFIG_TYPE_SLUG, 255,
       "The project's slug in events, unique on its broker. Default: KAIZEN_PROJECT_SLUG from "
       "the environment, else the base name of project_root."),
  SWITCH(emit_event, "false",
       "Whether to publish an event for an execution if the call does not say."),
  WORD(publish, "jetstream", "core", "jetstream",
       "jetstream: an event is sent until a stream acknowledges it. "
       "core: sent once, for brokers without JetStream."),
  WORD(delivery, "in-process", "relay", "in-process",
       "in-process: a thread of the host's process publishes. relay: a separate process "
       "publishes, and the host's process never loads the NATS library."),
  TEXT(nats_url, CONFIG_TYPE_URLS, 4096,
       "The broker, or several separated by commas. Default: NATS_URL from the environment, else "
       "nats://localhost:4222."),
  CREDENTIAL(nats_creds, "File with the user's JWT and seed, absolute."),
  PATH(nats_ca, "File with the certificates to trust, for TLS, absolute."),
  PATH(nats_cert, "File with the client's certificate, for TLS, absolute."),
  CREDENTIAL(nats_key, "File with the client's private key, for TLS, absolute."),
  TEXT(stream, CONFIG_TYPE_STREAM, 255,
       "The stream that must take the events. Default: the stream that has the subject."),
  WORD(fsync, "never", "always", "never",
       "never: a record survives the end of any process. always: it also survives a power loss."),
  NUMBER(retention_days, 0, 36500, "180",
       "Days that a record and its idempotency key stay in the log; 0: forever."),
  NUMBER(trend_window, 1, 64, "10",
       "Records in each of the two windows that a trend compares; other readers of the log "
       "assume 10."),
  NUMBER(lock_timeout_ms, 1, 600000, "2000",
       "The longest wait for an agent's log while others write to it, in milliseconds."),
  NUMBER(max_record_bytes, 1024, 1048576, "65536",
       "The largest record, in bytes of its line."),
  SWITCH(allow_network_fs, "false",
       "Accept a project_root on a network file system, where locks may not hold."),
  WORD(owner, "self", "group", "self",
       "self: the project belongs to the user that records. "
       "group: the users of its group share it, as containers with a random user do."),
};
/* clang-format on */

int config_keys_find(struct span name, struct error *error) {
  const char *names[CONFIG_KEY_COUNT];
  char shown[UTF8_SHOWN_SIZE];

  for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
    if (span_is(name, config_keys[i].name))
      return i;
    names[i] = config_keys[i].name;
  }
  return error_set(error, KAIZEN_E_CONFIG, "unknown key \"%s\"; the nearest known key is \"%s\"",
                   utf8_show(name, shown), distance_nearest(name, names, CONFIG_KEY_COUNT));
}

/* ---- what is legal --------------------------------------------------------------------------- */

bool config_keys_is_plain(struct span value, size_t max) {
  const char *end = value.ptr + value.len;
  size_t len, characters = 0;

  for (const char *at = value.ptr; at < end; at += len) {
    unsigned char first = (unsigned char)at[0];
    len = utf8_sequence(at, end);
    if (len == 0 || ++characters > max || first < 0x20 || first == 0x7F)
      return false;
    if (first == 0xC2 && (unsigned char)at[1] < 0xA0) /* U+0080-U+009F */
      return false;
  }
  return true;
}

static bool has_any_of(struct span value, const char *set) {
  for (size_t i = 0; i < value.len; i++)
    if (strchr(set, value.ptr[i]))
      return true;
  return false;
}

/* NULL, or what is wrong with a list of servers. */
static const char *refuse_url_list(struct span value) {
  struct server_url *server = malloc(sizeof *server);
  const char *why = NULL;
  int result = 1;

  if (!server)
    return "no memory to read it";
  while (result == 1)
    result = server_url_next(&value, server, &why);
  explicit_bzero(server, sizeof *server);
  free(server);
  return result < 0 ? why : NULL;
}

static bool is_legal_text(const struct config_key *key, struct span value) {
  if (!config_keys_is_plain(value, (size_t)key->max))
    return false;
  if (value.len == 0)
    return true;
  switch (key->type) {
  case CONFIG_TYPE_PATH:
    return value.ptr[0] == '/';
  case CONFIG_TYPE_SLUG:
    return !has_any_of(value, "/");
  case CONFIG_TYPE_STREAM:
    return !has_any_of(value, " .*>/\\");
  case CONFIG_TYPE_URLS:
    return refuse_url_list(value) == NULL;
  default:
    return false;
  }
}

/* Decimal digits after an optional '-', nothing else. */
static bool parse_number(struct span value, int64_t *out) {
  size_t digits = value.len > 0 && value.ptr[0] == '-' ? 1 : 0;
  int64_t number = 0;

  if (value.len == digits || value.len > 18)
    return false;
  for (size_t i = digits; i < value.len; i++) {
    if (value.ptr[i] < '0' || value.ptr[i] > '9')
      return false;
    number = number * 10 + (value.ptr[i] - '0');
  }
  *out = digits ? -number : number;
  return true;
}

/* True with *out 0 or 1 when `value` is one of the two words. */
static bool parse_word(struct span value, const char *first, const char *second, int64_t *out) {
  *out = span_is(value, second);
  return *out == 1 || span_is(value, first);
}

bool config_keys_parse(const struct config_key *key, struct span value, int64_t *number) {
  switch (key->type) {
  case CONFIG_TYPE_SWITCH:
    return parse_word(value, "false", "true", number);
  case CONFIG_TYPE_WORD:
    return parse_word(value, key->words[0], key->words[1], number);
  case CONFIG_TYPE_NUMBER:
    return parse_number(value, number) && *number >= key->min && *number <= key->max;
  default:
    return is_legal_text(key, value);
  }
}

/* ---- redacting ------------------------------------------------------------------------------- */

/* HOST, HOST:PORT, [V6], [V6]:PORT, perhaps a / at the end: nothing that could be half of a
 * password with a comma in it. */
static bool is_address(struct span text) {
  size_t i;

  while (text.len > 0 && strchr(" \t/", text.ptr[text.len - 1]))
    text.len--;
  i = text.len;

  while (i > 0 && text.ptr[i - 1] >= '0' && text.ptr[i - 1] <= '9')
    i--;
  if (i > 0 && text.ptr[i - 1] == ':')
    i--;
  else
    i = text.len;
  return text.len > 0 && (text.ptr[0] == '[' || !memchr(text.ptr, ':', i));
}

/* `doubtful`: it may be half of a login with a comma in it. */
static void redact_item(struct span item, bool doubtful, struct buffer *out) {
  const char *mark = memmem(item.ptr, item.len, "://", 3);
  size_t head = mark ? (size_t)(mark - item.ptr) + 3 : 0;
  struct span rest = {item.ptr + head, item.len - head};
  const char *at = memrchr(rest.ptr, '@', rest.len);
  struct span address = at ? (struct span){at + 1, (size_t)(rest.ptr + rest.len - at - 1)} : rest;

  buffer_append(out, item.ptr, head);
  if (at)
    buffer_append_text(out, "***@");
  if (is_address(address) && (at || !doubtful))
    buffer_append(out, address.ptr, address.len);
  else if (address.len > 0)
    buffer_append_text(out, "***");
}

/* Does a login end in a later item, before the next scheme? */
static bool login_goes_on(struct span rest) {
  const char *at = memchr(rest.ptr, '@', rest.len), *mark = memmem(rest.ptr, rest.len, "://", 3);

  return at && (!mark || at < mark);
}

void config_keys_redact(struct span urls, struct buffer *out) {
  const char *at = urls.ptr, *end = urls.ptr + urls.len;

  for (;;) {
    const char *comma = memchr(at, ',', (size_t)(end - at));
    bool doubtful = comma && login_goes_on((struct span){comma + 1, (size_t)(end - comma - 1)});

    redact_item((struct span){at, (size_t)((comma ? comma : end) - at)}, doubtful, out);
    if (!comma)
      return;
    buffer_append_byte(out, ',');
    at = comma + 1;
  }
}

/* ---- refusing -------------------------------------------------------------------------------- */

static void describe_rule(const struct config_key *key, char *out, size_t size) {
  switch (key->type) {
  case CONFIG_TYPE_SWITCH:
    snprintf(out, size, "true or false");
    break;
  case CONFIG_TYPE_NUMBER:
    snprintf(out, size, "a whole number from %" PRId64 " to %" PRId64, key->min, key->max);
    break;
  case CONFIG_TYPE_WORD:
    snprintf(out, size, "\"%s\" or \"%s\"", key->words[0], key->words[1]);
    break;
  case CONFIG_TYPE_PATH:
    snprintf(out, size, "an absolute file name in UTF-8 without control characters");
    break;
  case CONFIG_TYPE_SLUG:
    snprintf(out, size, "1 to %" PRId64 " characters of UTF-8 without \"/\" and control characters",
             key->max);
    break;
  case CONFIG_TYPE_STREAM:
    snprintf(out, size, "a stream's name (no blanks, none of . * > / \\)");
    break;
  case CONFIG_TYPE_URLS:
    snprintf(out, size, "nats://HOST:PORT or tls://HOST:PORT, or several separated by commas");
    break;
  }
}

int config_keys_refuse(const struct config_key *key, const char *label, struct span value,
                       const char *quote, struct error *error) {
  char rule[240], shown[UTF8_SHOWN_SIZE];
  struct buffer redacted = {0};
  bool hidden = key->credential;

  describe_rule(key, rule, sizeof(rule));
  if (key->type == CONFIG_TYPE_URLS) {
    const char *why = refuse_url_list(value);
    size_t used = strlen(rule);

    (void)snprintf(rule + used, sizeof rule - used, "%s%s", why ? ": " : "", why ? why : "");
    config_keys_redact(value, &redacted);
    value = buffer_span(&redacted);
    hidden = redacted.failed;
  }
  if (hidden)
    error_set(error, KAIZEN_E_CONFIG, "%s: its value (not shown) is not %s", label, rule);
  else
    error_set(error, KAIZEN_E_CONFIG, "%s: %s%s%s is not %s", label, quote, utf8_show(value, shown),
              quote, rule);
  buffer_fini(&redacted);
  return -1;
}
