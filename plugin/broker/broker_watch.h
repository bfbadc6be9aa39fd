/* broker_watch.h - receiving events as anybody would.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BROKER_WATCH_H
#define KAIZEN_BROKER_WATCH_H

#include <kaizen/extensions.h>

#include "base/error.h"
#include "broker/transport_settings.h"

/* As kaizen.broker/1's watch. */
int broker_watch(const struct transport_settings *settings, uint32_t timeout_ms, kaizen_sink sink,
                 void *ctx, struct error *error);

#endif
