/* nemo_abi.h - the native plugin ABI of NeMo Relay, as far as an observer of its events needs it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Relay offers its newest host table first and, on NEMO_RELAY_INVALID_ARG, the next older one: 5
 * (608 bytes in relay 0.9.2), 4, 3, 2 (320 bytes).  All of these begin with the members below.
 * Table 1 lacks the codecs, so that register_subscriber is elsewhere in it.  Texts are handles of
 * the host's with a length; they may hold NUL bytes. */
#ifndef KAIZEN_NEMO_ABI_H
#define KAIZEN_NEMO_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NEMO_RELAY_KIND "kaizen.metrics" /* the plugin's id in its manifest */

enum { NEMO_RELAY_TABLE_MIN = 2, NEMO_RELAY_TABLE_MAX = 5 };

enum nemo_relay_status {
  NEMO_RELAY_OK = 0,
  NEMO_RELAY_INTERNAL = 5,
  NEMO_RELAY_NULL_POINTER = 6,
  NEMO_RELAY_INVALID_JSON = 7,
  NEMO_RELAY_INVALID_ARG = 9
};

struct nemo_relay_string;  /* the host's */
struct nemo_relay_context; /* the host's; borrowed for one call of on_register */

/* Called on a thread of the host's; `event` is borrowed. */
typedef int32_t (*nemo_relay_subscriber)(void *user, const struct nemo_relay_string *event);
typedef void (*nemo_relay_free)(void *user);

struct nemo_relay_table {
  uint32_t abi_version;
  size_t struct_size;
  const char *relay_version; /* NUL-terminated */
  int32_t (*string_new)(const uint8_t *data, size_t len, struct nemo_relay_string **out);
  const uint8_t *(*string_data)(const struct nemo_relay_string *);
  size_t (*string_len)(const struct nemo_relay_string *);
  void (*string_free)(struct nemo_relay_string *);
  void (*last_error_clear)(void); /* of the calling thread */
  void (*last_error_set)(const struct nemo_relay_string *);
  void (*codecs[3])(void); /* not called */
  int32_t (*register_subscriber)(struct nemo_relay_context *, const struct nemo_relay_string *name,
                                 nemo_relay_subscriber, void *user, nemo_relay_free);
};

struct nemo_relay_plugin {
  size_t struct_size;                    /* given by the host: how much it knows */
  struct nemo_relay_string *plugin_kind; /* freed by the host, after drop */
  bool allows_multiple_components;
  void *user_data;
  /* *diagnostics: JSON array of {"level","code","component","message"}, or left NULL. */
  int32_t (*validate)(void *user, const struct nemo_relay_string *config,
                      struct nemo_relay_string **diagnostics);
  int32_t (*on_register)(void *user, const struct nemo_relay_string *config,
                         struct nemo_relay_context *);
  void (*drop)(void *user);
};

#endif
