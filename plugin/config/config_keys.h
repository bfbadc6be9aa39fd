/* config_keys.h - the table of configuration keys and the rules of their values.  Pure; for
 * config*.c alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_CONFIG_KEYS_H
#define KAIZEN_CONFIG_KEYS_H

#include "base/error.h"
#include "common/buffer.h"
#include "config/settings.h"

/* From CONFIG_TYPE_PATH on the field is a text. */
enum config_type {
  CONFIG_TYPE_SWITCH, /* bool */
  CONFIG_TYPE_NUMBER, /* int64_t */
  CONFIG_TYPE_WORD,   /* int32_t, an enum */
  CONFIG_TYPE_PATH,
  CONFIG_TYPE_SLUG,
  CONFIG_TYPE_STREAM,
  CONFIG_TYPE_URLS
};

struct config_key {
  const char *name;
  enum config_type type;
  size_t offset;            /* of the field in struct config */
  int64_t min, max;         /* of a number; of a text, max is its characters */
  const char *words[2];     /* in the order of the field's enum */
  const char *default_text; /* "": none, or config_finish() finds it */
  const char *doc;
  bool credential; /* the value appears in no message: somebody may paste the secret itself */
};

extern const struct config_key config_keys[CONFIG_KEY_COUNT];

/* Index of the key; -1 with *error, which names the nearest known one. */
int config_keys_find(struct span name, struct error *error);

static inline bool config_keys_is_text(const struct config_key *key) {
  return key->type >= CONFIG_TYPE_PATH;
}

/* Whether `value` is legal; *number then holds a switch, a number or a word's index.  An empty text
 * is legal: not set. */
bool config_keys_parse(const struct config_key *key, struct span value, int64_t *number);
/* See config_redact_url(). */
void config_keys_redact(struct span urls, struct buffer *out);
/* UTF-8 without control characters, of at most `max` characters, which is how JSON Schema
 * counts. */
bool config_keys_is_plain(struct span value, size_t max);

/* Answers -1 with KAIZEN_E_CONFIG: "<label>: <value> is not <rule>".  `label` is the key, or the
 * variable the value came from; `quote` goes around the value.  Credentials are left out. */
int config_keys_refuse(const struct config_key *key, const char *label, struct span value,
                       const char *quote, struct error *error);

#endif
