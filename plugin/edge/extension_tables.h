/* extension_tables.h - what get_extension() answers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_EXTENSION_TABLES_H
#define KAIZEN_EXTENSION_TABLES_H

#include <kaizen/extensions.h>

extern const struct kaizen_batch_1 batch_extension;
extern const struct kaizen_broker_1 broker_extension;
extern const struct kaizen_delivery_1 delivery_extension;
extern const struct kaizen_inspect_1 inspect_extension;
extern const struct kaizen_names_1 names_extension;
extern const struct kaizen_query_1 query_extension;
extern const struct kaizen_repair_1 repair_extension;
extern const struct kaizen_span_1 span_extension;

#endif
