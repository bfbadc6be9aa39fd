/* config.h - the plugin's settings: one table of keys, the parser and the schema made from it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The only reader of configuration text and of the environment.  Configured value > environment >
 * default. */
#ifndef KAIZEN_CONFIG_H
#define KAIZEN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "common/buffer.h"

enum config_publish { CONFIG_PUBLISH_JETSTREAM, CONFIG_PUBLISH_CORE };
enum config_delivery { CONFIG_DELIVERY_IN_PROCESS, CONFIG_DELIVERY_RELAY };
enum config_fsync { CONFIG_FSYNC_NEVER, CONFIG_FSYNC_ALWAYS };
enum config_origin { CONFIG_DEFAULT, CONFIG_ENVIRONMENT, CONFIG_CONFIGURED };

/* Values in force.  Strings are owned, never NULL ("" = not set) except as noted. */
struct config {
  char *project_root; /* absolute; required: config_finish() refuses without */
  char *project;      /* slug; after config_finish() never empty */
  bool emit_event;    /* false */
  int32_t publish;    /* enum config_publish; "jetstream" */
  int32_t delivery;   /* enum config_delivery; "in-process" */
  char *nats_url;     /* else NATS_URL, else nats://localhost:4222; may be a comma list */
  char *nats_creds, *nats_ca, *nats_cert, *nats_key; /* file names; absolute */
  char *stream;             /* expected stream name; "" = whichever takes the subject */
  int32_t fsync;            /* enum config_fsync; "never" */
  int64_t retention_days;   /* 180; 0 = keep for ever */
  int64_t trend_window;     /* 10; 1-64 */
  int64_t lock_timeout_ms;  /* 2000 */
  int64_t max_record_bytes; /* 65536 */
  bool allow_network_fs;
};
enum { CONFIG_KEY_COUNT = 17 };
struct config_origins {
  uint8_t of[CONFIG_KEY_COUNT]; /* enum config_origin, in the table's order */
};

void config_init(struct config *config, struct config_origins *origins);
void config_fini(struct config *config);
/* 0, or -1 with *error (KAIZEN_E_NOMEM); *copy needs no config_fini() then. */
int config_copy(struct config *copy, const struct config *config, struct error *error);
/* Merges the keys of one JSON object over *config.  -1 with *error (KAIZEN_E_CONFIG names key,
 * value and what is allowed; unknown key: the nearest known one; duplicate key) or KAIZEN_E_NOMEM;
 * *config may then be partly merged. */
int config_merge_json(struct config *config, struct config_origins *origins, struct span json,
                      struct error *error);
/* One key as plain text, read as the key's type ("true"/"false", a whole number, a word of the
 * enum, text). */
int config_merge_text(struct config *config, struct config_origins *origins, const char *key,
                      struct span value, struct error *error);
/* Environment and defaults for what was not configured (NATS_URL, KAIZEN_PROJECT_SLUG; base name of
 * the real path of project_root), then the checks that need all values: root given and absolute,
 * slug UTF-8 without '/' or control characters. */
int config_finish(struct config *config, struct config_origins *origins, struct error *error);
/* kaizen.inspect/1's config report. */
void config_report(const struct config *config, const struct config_origins *origins,
                   struct buffer *out);
/* JSON Schema (draft 2020-12) of configure()'s text, made from the table once, static. */
const char *config_schema(void);
/* Copies a URL list with "***" for user:password@ and token@ (promise 24: no credential in any
 * message). */
void config_redact_url(const char *url, struct buffer *out);

#endif
