/* hook_switch.c - settings of a coding agent that prevent its hooks from running.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_switch.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_text.h"
#include "hooks/hook_json.h"
#include "hooks/hook_target.h"
#include "hooks/hook_toml.h"

static const size_t FILE_BYTES_MAX = 4 * 1024 * 1024;

enum test { IS_TRUE, IS_FALSE, LACKS_US, HAS_US };
static const struct {
  const char *host;
  const char *path[HOOK_JSON_PATH_MAX];
  enum test test;
  const char *reason;
} switches[] = {
    {"claude-code",
     {"disableAllHooks"},
     IS_TRUE,
     "disableAllHooks is true: every hook is disabled"},
    {"claude-code",
     {"allowManagedHooksOnly"},
     IS_TRUE,
     "allowManagedHooksOnly is true: only an administrator's hooks run"},
    {"gemini",
     {"hooksConfig", "enabled"},
     IS_FALSE,
     "hooksConfig.enabled is false: every hook is disabled"},
    {"gemini", {"hooks", "enabled"}, IS_FALSE, "hooks.enabled is false: every hook is disabled"},
    {"gemini",
     {"tools", "enableHooks"},
     IS_FALSE,
     "tools.enableHooks is false: every hook is disabled"},
    {"gemini",
     {"hooksConfig", "disabled"},
     HAS_US,
     "hooksConfig.disabled names kaizen-host: its hooks do not run"},
    {"gemini",
     {"hooks", "disabled"},
     HAS_US,
     "hooks.disabled names kaizen-host: its hooks do not run"},
    {"qwen", {"disableAllHooks"}, IS_TRUE, "disableAllHooks is true: every hook is disabled"},
    {"qwen",
     {"hooksConfig", "enabled"},
     IS_FALSE,
     "hooksConfig.enabled is false: every hook is disabled"},
    {"copilot", {"disableAllHooks"}, IS_TRUE, "disableAllHooks is true: every hook is disabled"},
    {"openclaw",
     {"plugins", "enabled"},
     IS_FALSE,
     "plugins.enabled is false: every plugin is disabled"},
    {"openclaw",
     {"plugins", "allow"},
     LACKS_US,
     "plugins.allow does not name kaizen-host: the plugin is not loaded; add it there"},
    {"openclaw",
     {"plugins", "deny"},
     HAS_US,
     "plugins.deny names kaizen-host: the plugin is not loaded"},
    {"openclaw",
     {"plugins", "entries", "kaizen-host", "enabled"},
     IS_FALSE,
     "plugins.entries.kaizen-host.enabled is false: the plugin is disabled"},
};

/* Where the switches of a host are, besides the files with its hooks. */
static const struct {
  const char *host, *file; /* below home, or from the root folder */
  bool is_projects;
} more_files[] = {
    {"claude-code", ".claude/settings.local.json", true},
    {"claude-code", "/etc/claude-code/managed-settings.json", false},
    {"copilot", ".copilot/settings.json", false},
    {"copilot", ".copilot/config.json", false},
    {"copilot", ".github/copilot/settings.json", true},
};

struct sink {
  void (*say)(void *ctx, const char *file, const char *reason);
  void *ctx;
};

static bool names_us(const struct hook_json *json, const struct hook_json_span *list) {
  struct hook_json_span value;
  char text[64];

  for (size_t from = list->start;
       hook_json_next_string(json, list, from, &value, text, sizeof text); from = value.end)
    if (strcmp(text, "kaizen-host") == 0 || strcmp(text, "*") == 0)
      return true;
  return false;
}

static bool is_set(const struct hook_json *json, hook_json_path path, enum test test) {
  struct hook_json_span value;

  if (!hook_json_find(json, path, &value))
    return false;
  size_t len = value.end - value.start;
  const char *text = json->text + value.start;
  switch (test) {
  case IS_TRUE:
    return len == 4 && memcmp(text, "true", 4) == 0;
  case IS_FALSE:
    return len == 5 && memcmp(text, "false", 5) == 0;
  case LACKS_US:
    return *text == '[' && !names_us(json, &value);
  case HAS_US:
    return *text == '[' && names_us(json, &value);
  }
  return false;
}

/* Of members with the same name the agents read only the last. */
static void check_names(const struct hook_json *json, const char *file, const char *host,
                        const struct sink *sink) {
  const char *const root[HOOK_JSON_PATH_MAX] = {NULL};
  const char *const hooks[HOOK_JSON_PATH_MAX] = {"hooks"};
  const struct hook_target *targets[HOOK_TARGETS_MAX];
  struct hook_json_span object;
  char reason[160];

  if (hook_json_find(json, root, &object) && hook_json_count(json, &object, "hooks") > 1)
    sink->say(sink->ctx, file, "hooks is set more than once: only the last one has an effect");
  size_t count = hook_target_all_of(host, HOOK_SCOPE_USER, targets);
  for (size_t i = 0; i < count && hook_json_find(json, hooks, &object); i++)
    for (const char *const *event = targets[i]->events; event && *event; event++) {
      if (hook_json_count(json, &object, *event) < 2)
        continue;
      snprintf(reason, sizeof reason,
               "hooks sets %s more than once: only the last one has an effect", *event);
      sink->say(sink->ctx, file, reason);
    }
}

static void check_file(const char *host, const char *file, const struct sink *sink) {
  struct hook_json json = {.text = NULL};
  struct problem ignored;
  char *text = NULL;
  size_t len = 0;

  if (file_text_read_regular(file, FILE_BYTES_MAX, &text, &len, &ignored) == 0 &&
      hook_json_open(&json, text, len, &ignored) == 0) {
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
      if (strcmp(switches[i].host, host) == 0 && is_set(&json, switches[i].path, switches[i].test))
        sink->say(sink->ctx, file, switches[i].reason);
    check_names(&json, file, host, sink);
  }
  hook_json_close(&json);
  free(text);
}

/* Codex has its switch in another kind of file. */
static void check_codex(const char *home, const struct sink *sink) {
  const char *named = getenv("CODEX_HOME");
  struct problem ignored;
  char file[PATH_MAX], *text = NULL;
  size_t len = 0;

  if (snprintf(file, sizeof file, "%s%s/config.toml", named && *named == '/' ? named : home,
               named && *named == '/' ? "" : "/.codex") >= PATH_MAX ||
      file_text_read_regular(file, FILE_BYTES_MAX, &text, &len, &ignored) < 0)
    return;
  if (hook_toml_is(text, len, "features", "hooks", "false"))
    sink->say(sink->ctx, file, "features.hooks is false: every hook is disabled");
  free(text);
}

static void check_scope(const char *host, enum hook_scope scope, const char *project_root,
                        const struct sink *sink) {
  const struct hook_target *targets[HOOK_TARGETS_MAX];
  struct problem ignored;
  char file[PATH_MAX];
  size_t count = hook_target_all_of(host, scope, targets);

  for (size_t i = 0; i < count; i++)
    if (targets[i]->form != HOOK_FORM_FILE && targets[i]->form != HOOK_FORM_NOTIFY &&
        targets[i]->form != HOOK_FORM_TABLES &&
        hook_target_file(targets[i], scope, project_root, file, &ignored) == 0)
      check_file(host, file, sink);
}

void hook_switch_check(const char *host, const char *project_root,
                       void (*say)(void *ctx, const char *file, const char *reason), void *ctx) {
  const struct sink sink = {.say = say, .ctx = ctx};
  const char *home = getenv("HOME");
  char file[PATH_MAX];

  check_scope(host, HOOK_SCOPE_USER, "", &sink);
  if (strcmp(host, "codex") == 0)
    check_codex(home ? home : "", &sink);
  if (*project_root != '\0')
    check_scope(host, HOOK_SCOPE_PROJECT, project_root, &sink);
  for (size_t i = 0; i < sizeof more_files / sizeof more_files[0]; i++) {
    const char *name = more_files[i].file;
    const char *folder = more_files[i].is_projects ? project_root : home ? home : "";

    if (strcmp(more_files[i].host, host) != 0 || (*name != '/' && *folder == '\0'))
      continue;
    if (snprintf(file, sizeof file, "%s%s%s", *name == '/' ? "" : folder, *name == '/' ? "" : "/",
                 name) < PATH_MAX)
      check_file(host, file, &sink);
  }
}
