/* config_report.h - the settings in use, and their sources.
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
