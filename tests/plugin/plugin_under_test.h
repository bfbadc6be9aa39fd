/* plugin_under_test.h - the real kaizen_metrics.so as a host opens it, and one instance of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * KAIZEN_TEST_PLUGIN names the file; the build sets it. */
#ifndef KAIZEN_TESTS_PLUGIN_UNDER_TEST_H
#define KAIZEN_TESTS_PLUGIN_UNDER_TEST_H

#include "sandbox.h"

#include <dlfcn.h>
#include <kaizen/extensions.h>
#include <kaizen/plugin.h>

static const struct kaizen_plugin_v1 *plugin;
static struct kaizen_instance *instance;
static void *plugin_file;

SANDBOX_HELPER const struct kaizen_plugin_v1 *open_plugin(void **file) {
  const char *path = getenv("KAIZEN_TEST_PLUGIN");
  kaizen_plugin_v1_fn entry;

  cr_assert(path, "KAIZEN_TEST_PLUGIN is not set");
  *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  cr_assert(*file, "%s", dlerror());
  *(void **)&entry = dlsym(*file, KAIZEN_PLUGIN_V1_SYMBOL);
  cr_assert(entry, "%s", dlerror());
  return entry();
}

SANDBOX_HELPER struct kaizen_host_v1 plain_host(void) {
  return (struct kaizen_host_v1){.struct_size = sizeof(struct kaizen_host_v1),
                                 .abi_version = KAIZEN_ABI_VERSION,
                                 .name = "test",
                                 .version = "1"};
}

SANDBOX_HELPER const char *why(struct kaizen_instance *of) {
  static char text[512];

  (void)plugin->last_error(of, text, sizeof text);
  return text;
}

/* {"project_root": the sandbox} and `more`: "" or members that begin with a comma. */
SANDBOX_HELPER int32_t configure_in(struct kaizen_instance *of, const char *root,
                                    const char *more) {
  char json[1024];

  (void)snprintf(json, sizeof json,
                 "{\"project_root\":\"%s\",\"nats_url\":\"nats://127.0.0.1:9\"%s}", root, more);
  return plugin->configure(of, json, KAIZEN_NTS);
}

SANDBOX_HELPER struct kaizen_instance *start_instance(const struct kaizen_host_v1 *host,
                                                      const char *root, const char *more) {
  struct kaizen_instance *made = NULL;

  cr_assert_eq(plugin->create(host, &made), KAIZEN_OK);
  cr_assert_eq(configure_in(made, root, more), KAIZEN_OK, "%s", why(made));
  cr_assert_eq(plugin->start(made), KAIZEN_OK, "%s", why(made));
  return made;
}

/* One running instance on the sandbox; events are left to a relay: nothing here has a network. */
SANDBOX_HELPER void use_instance(const char *more) {
  struct kaizen_host_v1 host = plain_host();
  char all[512];

  (void)snprintf(all, sizeof all, ",\"delivery\":\"relay\"%s", more);
  instance = start_instance(&host, sandbox.root, all);
}

SANDBOX_HELPER void enter_plugin(void) {
  sandbox_enter();
  unsetenv("NATS_URL");
  unsetenv("KAIZEN_PROJECT_SLUG");
  plugin = open_plugin(&plugin_file);
}

SANDBOX_HELPER void leave_plugin(void) {
  plugin->destroy(instance);
  (void)dlclose(plugin_file);
  sandbox_leave();
}

SANDBOX_HELPER struct kaizen_str text_of(const char *text) {
  return (struct kaizen_str){text, text ? KAIZEN_NTS : 0};
}

SANDBOX_HELPER struct kaizen_execution execution_of(const char *agent) {
  return (struct kaizen_execution){.struct_size = sizeof(struct kaizen_execution),
                                   .outcome = KAIZEN_SUCCESS,
                                   .agent = text_of(agent)};
}

SANDBOX_HELPER struct kaizen_receipt receipt_of(void) {
  return (struct kaizen_receipt){.struct_size = sizeof(struct kaizen_receipt)};
}

SANDBOX_HELPER struct kaizen_summary summary_of_size(void) {
  return (struct kaizen_summary){.struct_size = sizeof(struct kaizen_summary)};
}

SANDBOX_HELPER struct kaizen_stats stats_of(struct kaizen_instance *of) {
  struct kaizen_stats stats = {.struct_size = sizeof stats};

  cr_assert_eq(plugin->stats(of, &stats), KAIZEN_OK);
  return stats;
}

SANDBOX_HELPER int32_t record_success(struct kaizen_instance *of, const char *agent,
                                      const char *key) {
  struct kaizen_execution execution = execution_of(agent);

  execution.idempotency_key = text_of(key);
  return plugin->on_execution_end(of, &execution, NULL, NULL);
}

/* Fills what the plugin must write whole, or must not touch. */
#define GUARD 0xA5

enum { CREATED, CONFIGURED, RUNNING, STOPPED, STATES };

/* Makes the instance, and takes it as far as that state. */
SANDBOX_HELPER void bring_to(int state) {
  struct kaizen_host_v1 host = plain_host();

  cr_assert_eq(plugin->create(&host, &instance), KAIZEN_OK);
  if (state >= CONFIGURED)
    cr_assert_eq(configure_in(instance, sandbox.root, ""), KAIZEN_OK, "%s", why(instance));
  if (state >= RUNNING)
    cr_assert_eq(plugin->start(instance), KAIZEN_OK);
  if (state >= STOPPED)
    cr_assert_eq(plugin->stop(instance, 0), KAIZEN_OK);
  cr_assert_eq(stats_of(instance).state, state);
}

SANDBOX_HELPER const char *coach_log(void) {
  return agent_file("coach", "executions.jsonl");
}

#endif
