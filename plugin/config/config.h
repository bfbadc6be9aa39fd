/* config.h - from configuration text and environment to settings.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The only reader of configuration text and of the environment.  Configured value > environment >
 * default. */
#ifndef KAIZEN_CONFIG_H
#define KAIZEN_CONFIG_H

#include "base/error.h"
#include "common/buffer.h"
#include "config/settings.h"

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
/* Copies a URL list with "***" for user:password@ and token@ (promise 24: no credential in any
 * message). */
void config_redact_url(const char *url, struct buffer *out);

#endif
