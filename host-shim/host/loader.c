/* loader.c - a plugin's file opened and checked against the ABI this host was compiled with.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef KAIZEN_PLUGINS_DIR
#define KAIZEN_PLUGINS_DIR "/usr/local/lib/kaizen/plugins"
#endif

static const char DEFAULT_PLUGIN[] = "kaizen_metrics.so";
static const uint32_t TABLE_BYTES_MAX = 65536; /* a larger number is not a size but garbage */

/* The size up to and with the last 1.0 member. */
#define TABLE_BYTES_1_0                                                                            \
  (uint32_t)(offsetof(struct kaizen_plugin_v1, get_extension) +                                    \
             sizeof(((struct kaizen_plugin_v1 *)0)->get_extension))

static bool is_there(const char *folder, size_t len, const char *name, char file[PATH_MAX]) {
  int written = snprintf(file, PATH_MAX, "%.*s/%s", (int)len, folder, name);

  return written > 0 && written < PATH_MAX && access(file, F_OK) == 0;
}

/* A program that was built and not installed loads the plugin that was built with it. */
static bool is_beside_program(const char *name, char file[PATH_MAX]) {
  char folder[PATH_MAX];
  ssize_t len = readlink("/proc/self/exe", folder, sizeof folder - sizeof "/.libs");

  if (len <= 0 || len >= (ssize_t)(sizeof folder - sizeof "/.libs"))
    return false;
  folder[len] = '\0';
  char *slash = strrchr(folder, '/');
  if (!slash)
    return false;
  strcpy(slash, "/.libs");
  return is_there(folder, strlen(folder), name, file);
}

static int find_bare(const char *name, char file[PATH_MAX], struct problem *problem) {
  const char *path = secure_getenv("KAIZEN_PLUGIN_PATH");

  for (const char *at = path; at && *at != '\0';
       at += at[strcspn(at, ":")] == ':' ? strcspn(at, ":") + 1 : strcspn(at, ":"))
    /* A relative folder would let the working directory choose the code that runs. */
    if (*at == '/' && is_there(at, strcspn(at, ":"), name, file))
      return 0;
  if (is_beside_program(name, file))
    return 0;
  if (is_there(KAIZEN_PLUGINS_DIR, strlen(KAIZEN_PLUGINS_DIR), name, file))
    return 0;
  return problem_set(problem, EXIT_CODE_REFUSED,
                     "no plugin %s in %s%s%s; name its file with --plugin FILE or its folder in "
                     "KAIZEN_PLUGIN_PATH",
                     name, path ? path : "", path ? " (KAIZEN_PLUGIN_PATH) or " : "",
                     KAIZEN_PLUGINS_DIR);
}

static int find_file(const char *name, char file[PATH_MAX], struct problem *problem) {
  if (!strchr(name, '/'))
    return find_bare(name, file, problem);
  if (!realpath(name, file))
    return problem_set(problem, EXIT_CODE_REFUSED, "plugin %s: %s", name, strerror(errno));
  return 0;
}

/* The first function of ABI 1.0 that is missing in the table, or NULL. */
static const char *missing_member(const struct kaizen_plugin_v1 *table) {
  const struct {
    const char *name;
    bool present;
  } members[] = {
      {"id", table->id != NULL},
      {"version", table->version != NULL},
      {"config_schema", table->config_schema != NULL},
      {"code_name", table->code_name != NULL},
      {"create", table->create != NULL},
      {"configure", table->configure != NULL},
      {"configure_key", table->configure_key != NULL},
      {"start", table->start != NULL},
      {"on_execution_end", table->on_execution_end != NULL},
      {"on_execution_end_json", table->on_execution_end_json != NULL},
      {"flush", table->flush != NULL},
      {"stats", table->stats != NULL},
      {"last_error", table->last_error != NULL},
      {"stop", table->stop != NULL},
      {"destroy", table->destroy != NULL},
      {"get_extension", table->get_extension != NULL},
  };
  for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
    if (!members[i].present)
      return members[i].name;
  return NULL;
}

/* The order matters: nothing is read before what it depends on has been checked. */
static int check_table(const struct kaizen_plugin_v1 *table, const char *file,
                       struct problem *problem) {
  const uint32_t head = sizeof table->struct_size + sizeof table->abi_version;
  if (!table)
    return problem_set(problem, EXIT_CODE_REFUSED,
                       "plugin %s: %s() returned NULL instead of a table", file,
                       KAIZEN_PLUGIN_V1_SYMBOL);
  if (table->struct_size < head || table->struct_size > TABLE_BYTES_MAX)
    return problem_set(problem, EXIT_CODE_REFUSED,
                       "plugin %s: its table claims %u bytes; %u to %u are possible", file,
                       table->struct_size, head, TABLE_BYTES_MAX);
  if (table->abi_version >> 16 != KAIZEN_ABI_MAJOR)
    return problem_set(
        problem, EXIT_CODE_REFUSED,
        "plugin %s: has ABI %u.%u, this host has ABI %u.%u; the major numbers must be equal", file,
        table->abi_version >> 16, table->abi_version & 0xFFFFu, KAIZEN_ABI_MAJOR, KAIZEN_ABI_MINOR);
  if (table->struct_size < TABLE_BYTES_1_0)
    return problem_set(problem, EXIT_CODE_REFUSED,
                       "plugin %s: its table has %u bytes; ABI 1.0 needs %u", file,
                       table->struct_size, TABLE_BYTES_1_0);
  const char *missing = missing_member(table);
  if (missing)
    return problem_set(problem, EXIT_CODE_REFUSED,
                       "plugin %s: its member %s is NULL; ABI 1.0 needs it", file, missing);
  return 0;
}

static int refuse_image(const char *file, const char *why, struct problem *problem) {
  bool is_newer = strstr(why, "version `") && strstr(why, "' not found");

  return problem_set(problem, EXIT_CODE_REFUSED, "cannot load plugin %s: %s%s", file, why,
                     is_newer ? "; it was built on a newer system: use one that was built on this "
                                "one or on an older one"
                              : "");
}

int loader_open(const char *name, struct loaded_plugin *plugin, struct problem *problem) {
  *plugin = (struct loaded_plugin){.handle = NULL};
  if (find_file(name ? name : DEFAULT_PLUGIN, plugin->file, problem) < 0)
    return -1;
  plugin->handle = dlopen(plugin->file, RTLD_NOW | RTLD_LOCAL);
  if (!plugin->handle)
    return refuse_image(plugin->file, dlerror(), problem);
  union { /* ISO C has no conversion from void * to a function */
    void *object;
    kaizen_plugin_v1_fn function;
  } entry = {.object = dlsym(plugin->handle, KAIZEN_PLUGIN_V1_SYMBOL)};
  int result = !entry.object ? problem_set(problem, EXIT_CODE_REFUSED,
                                           "plugin %s: no symbol %s; not a Kaizen plugin",
                                           plugin->file, KAIZEN_PLUGIN_V1_SYMBOL)
                             : 0;
  if (result == 0) {
    plugin->table = entry.function();
    result = check_table(plugin->table, plugin->file, problem);
  }
  if (result < 0)
    loader_close(plugin);
  return result;
}

void loader_close(struct loaded_plugin *plugin) {
  if (plugin->handle)
    dlclose(plugin->handle);
  plugin->handle = NULL;
  plugin->table = NULL;
}
