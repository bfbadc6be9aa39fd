/* transport_nats.h - the transport that is NATS: JetStream, or core NATS without a stream.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TRANSPORT_NATS_H
#define KAIZEN_TRANSPORT_NATS_H

#include "broker/transport.h"

extern const struct transport_kind transport_nats;

#endif
