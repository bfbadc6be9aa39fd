/* header_cxx11.cc - the public headers alone, as C++11; compiled by tests/plugin/test_headers.sh, never
 * linked.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <kaizen/plugin.h>

#include <kaizen/extensions.h>

bool header_has_stop(const struct kaizen_plugin_v1 *plugin) {
  return KAIZEN_HAS(plugin, struct kaizen_plugin_v1, stop);
}

bool header_may_retry(int32_t code) {
  kaizen_str text = {"text", KAIZEN_NTS};
  kaizen_plugin_v1_fn entry = kaizen_plugin_v1;
  return text.ptr != nullptr && entry != nullptr && KAIZEN_MAY_RETRY(code, 0);
}
