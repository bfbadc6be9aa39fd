/* embed.c - a whole host: loads the plugin, records one execution, stops.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * cc embed.c $(pkg-config --cflags kaizen-plugin) -ldl -o embed && ./embed PLUGIN PROJECT */
#include <dlfcn.h>
#include <stdio.h>

#include <kaizen/plugin.h>

int main(int argc, char **argv) {
  void *image = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  kaizen_plugin_v1_fn entry = NULL;
  if (image) *(void **)&entry = dlsym(image, KAIZEN_PLUGIN_V1_SYMBOL);
  const struct kaizen_plugin_v1 *plugin = entry ? entry() : NULL;
  if (!plugin || plugin->abi_version >> 16 != KAIZEN_ABI_MAJOR) return 2;
  struct kaizen_host_v1 host = {.struct_size = sizeof host, .abi_version = KAIZEN_ABI_VERSION};
  struct kaizen_receipt receipt = {.struct_size = sizeof receipt};
  struct kaizen_execution execution = {
      .struct_size = sizeof execution, .agent = {"coach", KAIZEN_NTS}, .outcome = KAIZEN_SUCCESS,
      .flags = KAIZEN_EXEC_HAS_TIME, .execution_time_s = 12.5};
  struct kaizen_instance *instance = NULL;
  int32_t code = plugin->create(&host, &instance);
  if (code >= 0) code = plugin->configure_key(instance, "project_root", argv[2], KAIZEN_NTS);
  if (code >= 0) code = plugin->start(instance);
  if (code >= 0) code = plugin->on_execution_end(instance, &execution, &receipt, NULL);
  printf("%s %s\n", plugin->code_name(code), receipt.reason);
  plugin->destroy(instance); /* also stops it; unsent events stay in the log */
  return code < 0;
}
