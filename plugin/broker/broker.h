/* broker.h - checking and setting up the broker; the caller waits for the network.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BROKER_H
#define KAIZEN_BROKER_H

#include "base/error.h"
#include "broker/transport_settings.h"
#include "common/buffer.h"

/* As kaizen.broker/1; *report gets its JSON object also on failure. 0 or -1 with *error. */
int broker_check(const struct transport_settings *settings, uint32_t timeout_ms,
                 struct buffer *report, struct error *error);
int broker_init(const struct transport_settings *settings, const char *name, uint32_t replicas,
                bool dry_run, uint32_t timeout_ms, struct buffer *report, struct error *error);

#endif
