/* mock_missing_function.c - a plugin without configure().
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <kaizen/plugin.h>

static const char *code_name(int32_t code) {
  (void)code;
  return "OTHER";
}

static int32_t create(const struct kaizen_host_v1 *host, struct kaizen_instance **out) {
  (void)host;
  *out = NULL;
  return KAIZEN_E_NOMEM;
}

static const struct kaizen_plugin_v1 table = {
    .struct_size = sizeof table,
    .abi_version = KAIZEN_ABI_VERSION,
    .id = "mock",
    .version = "1",
    .config_schema = "{}",
    .code_name = code_name,
    .create = create,
};

const struct kaizen_plugin_v1 *kaizen_plugin_v1(void) {
  return &table;
}
