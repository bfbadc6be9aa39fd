/* nemo_relay.h - the entry that NeMo Relay calls when it has loaded the plugin.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_NEMO_RELAY_H
#define KAIZEN_NEMO_RELAY_H

#include "adapters/nemo_relay/nemo_abi.h"

/* Fills the descriptor.  NEMO_RELAY_INVALID_ARG: not with this table; the host's last error says
 * why. */
#ifdef __GNUC__
__attribute__((visibility("default")))
#endif
int32_t
nemo_relay_register_plugin(const struct nemo_relay_table *host, struct nemo_relay_plugin *out);

#endif
