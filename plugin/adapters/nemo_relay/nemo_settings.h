/* nemo_settings.h - the component's configuration: our own keys, and kaizen's after them.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_NEMO_SETTINGS_H
#define KAIZEN_NEMO_SETTINGS_H

#include <stdbool.h>

#include "adapters/nemo_relay/nemo_reason.h"
#include "common/buffer.h"

struct nemo_settings {
  bool agents, turns;   /* scopes: which count as runs of an agent; both */
  bool nested;          /* also runs inside runs; yes */
  bool keeps_aborted;   /* aborted: "failure" records them, "skip" does not; no */
  struct buffer kaizen; /* a JSON object with the other keys, for configure() */
};

/* `schema` is kaizen_plugin_v1.config_schema: which other keys there are.  -1 with *reason, which
 * names the key, the value and what is allowed; *settings then needs no nemo_settings_fini(). */
int nemo_settings_read(struct nemo_settings *settings, struct span json, const char *schema,
                       struct nemo_reason *reason);
void nemo_settings_fini(struct nemo_settings *settings);

#endif
