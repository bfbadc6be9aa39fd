/* host_config.h - the host's own configuration file: which plugin, with which settings.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * {"plugins": [{"path": "kaizen_metrics.so", "enabled": true, "config": {...}}]}, or just
 * {"config": {...}}. Never read from the project: a cloned repository must not choose a broker,
 * credentials or a .so. */
#ifndef KAIZEN_HOST_HOST_CONFIG_H
#define KAIZEN_HOST_HOST_CONFIG_H

#include <json-c/json.h>

#include "base/problem.h"

struct host_config {
  char *file; /* what was or would be read; NULL: none exists, built-in defaults are in force */
  struct json_object *document; /* the whole file; NULL without one */
  struct json_object *plugin;   /* the enabled entry inside it, or NULL */
  struct json_object *config;   /* the plugin's settings inside it, or NULL: {} */
  char *plugin_path;            /* as the loader takes it; NULL: the file names none */
};

/* The first that exists wins: `given` (--config), $KAIZEN_HOST_CONFIG,
 * $XDG_CONFIG_HOME/kaizen-host/config.json (~/.config when unset), /etc/kaizen-host/config.json,
 * built-in defaults.  -1: EXIT_CODE_REFUSED with file and place. */
int host_config_load(const char *given, struct host_config *config, struct problem *problem);
void host_config_free(struct host_config *config);
/* The file `config set` writes when none exists: the user's.  NULL: there is no home folder. */
char *host_config_user_file(void);
/* The search order as (source, file name) pairs, for `config path` and `doctor`; names may be NULL
 * when the variable is not set.  The callback's text is borrowed. */
void host_config_each_candidate(const char *given,
                                void (*visit)(void *ctx, const char *origin, const char *file),
                                void *ctx);

#endif
