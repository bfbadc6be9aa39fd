/* delivery.h - an operator's decisions about events: send again, count as sent, retry dead letters.
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

/* As kaizen.delivery/1.  0 or -1 with the first *error: the other agents have been handled then,
 * and *count counts them. */
int delivery_resend(const struct project *project, int64_t since_unix_ns, int64_t lock_timeout_ms,
                    uint64_t *count, struct error *error);
int delivery_assume_sent(const struct project *project, int64_t lock_timeout_ms, uint64_t *count,
                         struct error *error);
int delivery_dead_letters(const struct project *project, kaizen_sink sink, void *ctx,
                          struct error *error);
int delivery_retry_dead_letters(const struct project *project, int64_t lock_timeout_ms,
                                uint64_t *count, struct error *error);

#endif
