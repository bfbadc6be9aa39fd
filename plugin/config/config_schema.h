/* config_schema.h - the JSON Schema of the configuration.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_CONFIG_SCHEMA_H
#define KAIZEN_CONFIG_SCHEMA_H

/* JSON Schema (draft 2020-12) of configure()'s text, made from the table once, static. */
const char *config_schema(void);

#endif
