/* mock_calls.h - the calls of a plugin that does nothing, for mocks that differ in a few of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A mock includes it after it has declared struct kaizen_instance and its own calls. */
#ifndef KAIZEN_MOCK_CALLS_H
#define KAIZEN_MOCK_CALLS_H

#include <kaizen/plugin.h>

static const char *mock_code_name(int32_t code) {
  return code == KAIZEN_OK           ? "OK"
         : code == KAIZEN_RECORDED   ? "RECORDED"
         : code == KAIZEN_E_REJECTED ? "REJECTED"
         : code == KAIZEN_E_CONFIG   ? "CONFIG"
                                     : "OTHER";
}

static int32_t mock_configure(struct kaizen_instance *instance, const char *json, size_t len) {
  (void)instance;
  (void)json;
  (void)len;
  return KAIZEN_OK;
}

static int32_t mock_start(struct kaizen_instance *instance) {
  (void)instance;
  return KAIZEN_OK;
}

static const void *mock_get_extension(const char *id) {
  (void)id;
  return NULL;
}

/* The members that every mock's table has. */
#define MOCK_TABLE(its_id)                                                                         \
  .struct_size = sizeof(struct kaizen_plugin_v1), .abi_version = KAIZEN_ABI_VERSION, .id = its_id, \
  .version = "1", .config_schema = "{}", .code_name = mock_code_name, .configure = mock_configure, \
  .start = mock_start, .get_extension = mock_get_extension

#endif
