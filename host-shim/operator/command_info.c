/* command_info.c - which plugin is loaded from where, and what it can do.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json_text.h"
#include "base/output.h"
#include "host/command.h"
#include "host/session.h"
#include "operator/operator_commands.h"

static const struct option_spec own_options[] = {
    {"schema", 0, OPTION_FLAG, NULL, "print the JSON Schema of the plugin's settings"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"info", "plugin, version, ABI, extensions"},
    {"info --schema", "every setting with type, range and meaning"},
    {NULL, NULL},
};

static const char *const extensions[] = {KAIZEN_INSPECT_1,  KAIZEN_QUERY_1,  KAIZEN_BATCH_1,
                                         KAIZEN_DELIVERY_1, KAIZEN_BROKER_1, KAIZEN_REPAIR_1,
                                         KAIZEN_SPAN_1,     KAIZEN_NAMES_1,  NULL};

static struct json_object *abi_text(uint32_t abi_version) {
  char text[32];

  snprintf(text, sizeof text, "%u.%u", abi_version >> 16, abi_version & 0xFFFFu);
  return json_object_new_string(text);
}

static void print_json(const struct session *session) {
  const struct kaizen_plugin_v1 *plugin = session->plugin.table;
  struct json_object *document = json_object_new_object();
  struct json_object *entry = json_object_new_object();
  struct json_object *list = json_object_new_array();

  for (const char *const *id = extensions; *id; id++)
    if (plugin->get_extension(*id))
      json_object_array_add(list, json_object_new_string(*id));
  json_object_object_add(entry, "file", json_text_new_string(session->plugin.file));
  json_object_object_add(entry, "id", json_text_new_string(plugin->id));
  json_object_object_add(entry, "version", json_text_new_string(plugin->version));
  json_object_object_add(entry, "abi_version", abi_text(plugin->abi_version));
  json_object_object_add(entry, "extensions", list);
  json_object_object_add(document, "host_version", json_object_new_string(KAIZEN_HOST_VERSION));
  json_object_object_add(document, "host_abi_version", abi_text(KAIZEN_ABI_VERSION));
  json_object_object_add(document, "config_file",
                         session->config.file ? json_text_new_string(session->config.file) : NULL);
  json_object_object_add(document, "plugin", entry);
  output_json(document);
}

static void print_text(const struct session *session) {
  const struct kaizen_plugin_v1 *plugin = session->plugin.table;

  printf("plugin      %s %s\nfile        %s\nABI         %u.%u (this host: %u.%u)\n", plugin->id,
         plugin->version, session->plugin.file, plugin->abi_version >> 16,
         plugin->abi_version & 0xFFFFu, KAIZEN_ABI_MAJOR, KAIZEN_ABI_MINOR);
  printf("config      %s\nextensions ",
         session->config.file ? session->config.file : "built-in defaults");
  for (const char *const *id = extensions; *id; id++)
    if (plugin->get_extension(*id))
      printf(" %s", *id);
  printf("\nhost        kaizen-host %s\n", KAIZEN_HOST_VERSION);
}

static int run(const struct host *host) {
  struct session session;
  struct problem problem;

  if (session_load(host, &session, &problem) < 0)
    return output_problem(&problem);
  if (options_given(host->arguments, "schema"))
    puts(session.plugin.table->config_schema);
  else if (output_is_json())
    print_json(&session);
  else
    print_text(&session);
  session_close(&session);
  return EXIT_CODE_OK;
}

const struct command command_info = {
    .name = "info",
    .synopsis = "[OPTIONS]",
    .summary = "show the plugin: file, version, extensions",
    .examples = examples,
    .option_groups = {own_options},
    .run = run,
};
