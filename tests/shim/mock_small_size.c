/* mock_small_size.c - a plugin whose table ends before the last 1.0 function.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <kaizen/plugin.h>

static const struct kaizen_plugin_v1 table = {.struct_size =
                                                  offsetof(struct kaizen_plugin_v1, get_extension),
                                              .abi_version = KAIZEN_ABI_VERSION};

const struct kaizen_plugin_v1 *kaizen_plugin_v1(void) {
  return &table;
}
