/* mock_absurd_size.c - a plugin whose table claims to be larger than any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <kaizen/plugin.h>

static const struct kaizen_plugin_v1 table = {.struct_size = 0x40000000u,
                                              .abi_version = KAIZEN_ABI_VERSION};

const struct kaizen_plugin_v1 *kaizen_plugin_v1(void) {
  return &table;
}
