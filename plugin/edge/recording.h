/* recording.h - one execution from the host to its receipt.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_RECORDING_H
#define KAIZEN_RECORDING_H

#include <kaizen/plugin.h>

/* kaizen_plugin_v1's functions of these names. */
int32_t recording_on_execution_end(struct kaizen_instance *instance,
                                   const struct kaizen_execution *execution,
                                   struct kaizen_receipt *receipt, struct kaizen_summary *summary);
int32_t recording_on_execution_end_json(struct kaizen_instance *instance, const char *json,
                                        size_t len, uint32_t flags, struct kaizen_receipt *receipt,
                                        struct kaizen_summary *summary);
/* kaizen_span_1's end. */
int32_t recording_on_span_end(struct kaizen_instance *instance, const char *token,
                              const struct kaizen_execution *execution,
                              struct kaizen_receipt *receipt, struct kaizen_summary *summary);

#endif
