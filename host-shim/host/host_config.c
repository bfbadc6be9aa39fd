/* host_config.c - the host's own configuration file: which plugin, with which settings.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/host_config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file_text.h"
#include "base/json_text.h"
#include "base/nearest.h"

#ifndef KAIZEN_SYSCONFDIR
#define KAIZEN_SYSCONFDIR "/etc"
#endif

static const size_t FILE_BYTES_MAX = 1024 * 1024;

char *host_config_user_file(void) {
  const char *xdg = secure_getenv("XDG_CONFIG_HOME");
  const char *home = secure_getenv("HOME");
  char *file = NULL;
  int result = -1;

  /* The XDG specification says that a relative path must be ignored. */
  if (xdg && *xdg == '/')
    result = asprintf(&file, "%s/kaizen-host/config.json", xdg);
  else if (home && *home == '/')
    result = asprintf(&file, "%s/.config/kaizen-host/config.json", home);
  return result < 0 ? NULL : file;
}

void host_config_each_candidate(const char *given,
                                void (*visit)(void *ctx, const char *origin, const char *file),
                                void *ctx) {
  const char *variable = secure_getenv("KAIZEN_HOST_CONFIG");
  char *user = host_config_user_file();
  visit(ctx, "--config", given);
  visit(ctx, "KAIZEN_HOST_CONFIG", variable && *variable != '\0' ? variable : NULL);
  visit(ctx, "user", user);
  visit(ctx, "system", KAIZEN_SYSCONFDIR "/kaizen-host/config.json");
  free(user);
}

struct search {
  char *file;
  bool named; /* named explicitly: then it must exist */
};

static void take_first(void *ctx, const char *origin, const char *file) {
  struct search *search = ctx;

  if (search->file || !file)
    return;
  bool named = strcmp(origin, "user") != 0 && strcmp(origin, "system") != 0;
  if (named || access(file, F_OK) == 0) {
    search->file = strdup(file);
    search->named = named;
  }
}

static int refuse_unknown(const struct host_config *config, const char *where,
                          struct json_object *object, const char *const *known,
                          struct problem *problem) {
  struct json_object_iter member;
  json_object_object_foreachC(object, member) {
    const char *key = member.key;
    struct nearest nearest = nearest_to(key);
    bool is_known = false;

    for (const char *const *name = known; *name; name++) {
      is_known = is_known || strcmp(*name, key) == 0;
      nearest_offer(&nearest, *name);
    }
    if (!is_known)
      return problem_set(problem, EXIT_CODE_REFUSED, "%s: %s has an unknown member \"%s\"%s%s%s",
                         config->file, where, key, nearest.best ? "; did you mean \"" : "",
                         nearest.best ? nearest.best : "", nearest.best ? "\"?" : "");
  }
  return 0;
}

static int wrong_type(const struct host_config *config, const char *where, const char *wanted,
                      struct json_object *value, struct problem *problem) {
  return problem_set(problem, EXIT_CODE_REFUSED, "%s: %s must be %s, not %s", config->file, where,
                     wanted, !value ? "null" : json_type_to_name(json_object_get_type(value)));
}

/* A name with a slash is relative to the file's folder: the working directory belongs to a
 * project. */
static int take_path(struct host_config *config, const char *path, struct problem *problem) {
  const char *slash = strrchr(config->file, '/');
  bool beside = *path != '/' && strchr(path, '/') && slash;
  int result = beside ? asprintf(&config->plugin_path, "%.*s/%s", (int)(slash - config->file),
                                 config->file, path)
                      : asprintf(&config->plugin_path, "%s", path);

  if (result < 0)
    config->plugin_path = NULL;
  return result < 0 ? problem_no_memory(problem) : 0;
}

static int check_entry(struct host_config *config, size_t index, struct json_object *entry,
                       bool *enabled, struct problem *problem) {
  static const char *const known[] = {"path", "enabled", "config", NULL};
  struct json_object *member = NULL;
  char where[64];
  snprintf(where, sizeof where, "\"plugins\", entry %zu", index + 1);
  if (!json_object_is_type(entry, json_type_object))
    return wrong_type(config, where, "an object", entry, problem);
  if (refuse_unknown(config, where, entry, known, problem) < 0)
    return -1;
  snprintf(where, sizeof where, "\"path\" of plugin %zu", index + 1);
  if (!json_object_object_get_ex(entry, "path", &member))
    return problem_set(problem, EXIT_CODE_REFUSED, "%s: %s is missing", config->file, where);
  if (!json_object_is_type(member, json_type_string) || json_object_get_string_len(member) == 0)
    return wrong_type(config, where, "a file's name", member, problem);
  snprintf(where, sizeof where, "\"config\" of plugin %zu", index + 1);
  if (json_object_object_get_ex(entry, "config", &member) &&
      !json_object_is_type(member, json_type_object))
    return wrong_type(config, where, "an object", member, problem);
  snprintf(where, sizeof where, "\"enabled\" of plugin %zu", index + 1);
  *enabled = true;
  if (json_object_object_get_ex(entry, "enabled", &member)) {
    if (!json_object_is_type(member, json_type_boolean))
      return wrong_type(config, where, "true or false", member, problem);
    *enabled = json_object_get_boolean(member);
  }
  return 0;
}

static int take_plugins(struct host_config *config, struct json_object *list,
                        struct problem *problem) {
  size_t chosen = 0;
  if (!json_object_is_type(list, json_type_array))
    return wrong_type(config, "\"plugins\"", "an array", list, problem);
  for (size_t i = 0; i < json_object_array_length(list); i++) {
    struct json_object *entry = json_object_array_get_idx(list, i);
    bool enabled = false;

    if (check_entry(config, i, entry, &enabled, problem) < 0)
      return -1;
    if (enabled && config->plugin)
      return problem_set(problem, EXIT_CODE_REFUSED,
                         "%s: plugins %zu and %zu are both enabled; kaizen-host loads only one",
                         config->file, chosen + 1, i + 1);
    if (enabled) {
      config->plugin = entry;
      chosen = i;
    }
  }
  if (!config->plugin)
    return problem_set(problem, EXIT_CODE_REFUSED,
                       "%s: \"plugins\" has no enabled entry; set \"enabled\" to true",
                       config->file);
  json_object_object_get_ex(config->plugin, "config", &config->config);
  return take_path(config, json_object_get_string(json_object_object_get(config->plugin, "path")),
                   problem);
}

static int take_document(struct host_config *config, struct problem *problem) {
  static const char *const known[] = {"plugins", "config", NULL};
  struct json_object *plugins = NULL;
  struct json_object *settings = NULL;

  if (!json_object_is_type(config->document, json_type_object))
    return wrong_type(config, "the document", "an object", config->document, problem);
  if (refuse_unknown(config, "the document", config->document, known, problem) < 0)
    return -1;
  bool has_plugins = json_object_object_get_ex(config->document, "plugins", &plugins);
  bool has_settings = json_object_object_get_ex(config->document, "config", &settings);
  if (has_plugins && has_settings)
    return problem_set(
        problem, EXIT_CODE_REFUSED,
        "%s: has both \"plugins\" and \"config\"; move the settings into the plugin's entry",
        config->file);
  if (has_settings && !json_object_is_type(settings, json_type_object))
    return wrong_type(config, "\"config\"", "an object", settings, problem);
  config->config = settings;
  return has_plugins ? take_plugins(config, plugins, problem) : 0;
}

static int refuse_text(const char *file, const char *text, size_t at, const char *description,
                       struct problem *problem) {
  size_t line = 1, column = 1;
  for (size_t i = 0; i < at && text[i] != '\0'; i++) {
    line += text[i] == '\n';
    column = text[i] == '\n' ? 1 : column + 1;
  }
  return problem_set(problem, EXIT_CODE_REFUSED, "%s: invalid JSON at line %zu, column %zu: %s",
                     file, line, column, description);
}

static int read_document(struct host_config *config, struct problem *problem) {
  const char *description = NULL;
  size_t at = 0, len = 0;
  char *text = NULL;

  if (file_text_read(config->file, FILE_BYTES_MAX, &text, &len, problem) < 0) {
    problem->exit_code = EXIT_CODE_REFUSED;
    return -1;
  }
  const char *json = file_text_skip_mark(text);
  config->document = json_text_parse(json, len - (size_t)(json - text), &at, &description);
  int result = !config->document ? refuse_text(config->file, json, at, description, problem) : 0;
  free(text);
  return result;
}

int host_config_load(const char *given, struct host_config *config, struct problem *problem) {
  struct search search = {.file = NULL, .named = false};

  *config = (struct host_config){.file = NULL};
  host_config_each_candidate(given, take_first, &search);
  if (!search.file)
    return 0;
  config->file = search.file;
  if (read_document(config, problem) < 0 || take_document(config, problem) < 0) {
    host_config_free(config);
    return -1;
  }
  return 0;
}

void host_config_free(struct host_config *config) {
  json_object_put(config->document);
  free(config->file);
  free(config->plugin_path);
  *config = (struct host_config){.file = NULL};
}
