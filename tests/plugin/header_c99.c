/* header_c99.c - the public headers alone, as C99; compiled by tests/plugin/test_headers.sh, never
 * linked.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <kaizen/plugin.h>

#include <kaizen/extensions.h>

/* The macros are part of the headers and have to expand in the host's dialect too. */
int header_has_stop(const struct kaizen_plugin_v1 *plugin);
int header_has_stop(const struct kaizen_plugin_v1 *plugin) {
  return KAIZEN_HAS(plugin, struct kaizen_plugin_v1, stop);
}

int header_may_retry(int32_t code);
int header_may_retry(int32_t code) {
  struct kaizen_str text = {"text", KAIZEN_NTS};
  kaizen_plugin_v1_fn entry = kaizen_plugin_v1;
  return text.ptr != NULL && entry != NULL && KAIZEN_MAY_RETRY(code, 0);
}
