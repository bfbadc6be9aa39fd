/* mock_wrong_major.c - a plugin of another ABI, whose table is laid out as nobody here knows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <kaizen/plugin.h>

static const struct {
  uint32_t struct_size, abi_version;
} table = {.struct_size = sizeof table, .abi_version = (9u << 16) | 4u};

const struct kaizen_plugin_v1 *kaizen_plugin_v1(void) {
  return (const void *)&table;
}
