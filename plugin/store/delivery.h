/* delivery.h - what an operator decides about events: send again, take as sent, retry dead letters.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Works on the files under the agents' locks; a running publisher, in whichever process, sees the
 * raised epoch. */
#ifndef KAIZEN_DELIVERY_H
#define KAIZEN_DELIVERY_H

#include <kaizen/extensions.h>

#include "base/error.h"
#include "store/project.h"

/* As kaizen.delivery/1.  0 or -1 with *error, the first one: the other agents have been dealt with
 * then, and *count is right as far as it goes. */
int delivery_resend(const struct project *project, int64_t since_unix_ns, int64_t lock_timeout_ms,
                    uint64_t *count, struct error *error);
int delivery_assume_sent(const struct project *project, int64_t lock_timeout_ms, uint64_t *count,
                         struct error *error);
int delivery_dead_letters(const struct project *project, kaizen_sink sink, void *ctx,
                          struct error *error);
int delivery_retry_dead_letters(const struct project *project, int64_t lock_timeout_ms,
                                uint64_t *count, struct error *error);

#endif
