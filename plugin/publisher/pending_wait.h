/* pending_wait.h - waiting until what the logs hold now is acknowledged, by whichever process.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_PENDING_WAIT_H
#define KAIZEN_PENDING_WAIT_H

#include <stdint.h>

#include "store/project.h"

/* As publisher_flush(); `hurry` is called once when there is something to wait for. */
int pending_wait(const struct project *project, int64_t deadline_ns, void (*hurry)(void *ctx),
                 void *ctx, uint64_t *pending);

#endif
