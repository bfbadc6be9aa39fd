/* mock_null.c - a plugin whose entry answers no table.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <kaizen/plugin.h>

const struct kaizen_plugin_v1 *kaizen_plugin_v1(void) {
  return NULL;
}
