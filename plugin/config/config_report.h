/* config_report.h - what is in force, and where it came from.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_CONFIG_REPORT_H
#define KAIZEN_CONFIG_REPORT_H

#include "common/buffer.h"
#include "config/settings.h"

/* kaizen.inspect/1's config report. */
void config_report(const struct config *config, const struct config_origins *origins,
                   struct buffer *out);

#endif
