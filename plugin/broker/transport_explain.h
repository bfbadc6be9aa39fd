/* transport_explain.h - explains what fails between us and the broker.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TRANSPORT_EXPLAIN_H
#define KAIZEN_TRANSPORT_EXPLAIN_H

#include "broker/nats_library.h"
#include "broker/transport.h"

/* More than the library keeps of what it or the broker says.  Such a text is kept whole: a login
 * that was cut is harder to recognise. */
enum { TRANSPORT_EXPLAIN_SAID_SIZE = 512 };

/* What a status, or a JetStream error code (0: none), means for the person who must fix it; `said`
 * is what library or broker said about it, or NULL; it is not quoted where it holds a login. */
void transport_explain(const struct nats_library *nats, const struct transport_settings *settings,
                       natsStatus status, int code, const char *said,
                       struct transport_trouble *trouble);

#endif
