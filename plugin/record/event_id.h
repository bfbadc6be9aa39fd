/* event_id.h - the id of an event that has an idempotency key.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_EVENT_ID_H
#define KAIZEN_EVENT_ID_H

#include "base/uuid.h"

/* Namespace of ids made from keys; docs/delivery.md prints it.  It never changes. */
#define EVENT_ID_NAMESPACE "8d5a0f3e-6f5b-5c1e-9d0a-3c6f7b2e4a91"

/* Version 5 of project NUL agent NUL key.  -1 when memory runs out. */
int event_id_from_key(struct span project, struct span agent, struct span key,
                      char out[UUID_TEXT_SIZE]);

#endif
