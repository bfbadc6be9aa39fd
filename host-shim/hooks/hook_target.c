/* hook_target.c - where each coding agent looks for hooks, and what it needs there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hooks/hook_target_text.h"
#include "usage/agent_home.h"

static const char *const claude_events[] = {
    "SessionStart",  "UserPromptSubmit", "Stop",       "StopFailure",
    "SubagentStart", "SubagentStop",     "SessionEnd", NULL};
static const char *const codex_events[] = {
    "SessionStart",  "UserPromptSubmit", "Stop",       "Interrupt",
    "SubagentStart", "SubagentStop",     "SessionEnd", NULL};
static const char *const gemini_events[] = {"SessionStart", "BeforeAgent", "AfterAgent",
                                            "SessionEnd", NULL};
static const char *const cursor_events[] = {
    "sessionStart", "beforeSubmitPrompt", "stop", "subagentStart",
    "subagentStop", "sessionEnd",         NULL};
static const char *const copilot_events[] = {
    "sessionStart", "userPromptSubmitted", "agentStop",  "subagentStart",
    "subagentStop", "errorOccurred",       "sessionEnd", NULL};
static const char *const turn_events[] = {"SessionStart", "UserPromptSubmit", "Stop", "SessionEnd",
                                          NULL};
static const char *const droid_events[] = {"SessionStart", "UserPromptSubmit", "Stop",
                                           "SubagentStop", "SessionEnd",       NULL};
static const char *const windsurf_events[] = {"pre_user_prompt", "post_cascade_response", NULL};
static const char *const openclaw_entry[] = {"plugins", "entries", "kaizen-host", NULL};

#define SECONDS "\"timeout\": 5"
#define HOOK_TARGET_CLINE(event)                                                                   \
  "#!/bin/sh\n# Written by 'kaizen-host install-hooks cline'; 'uninstall-hooks cline' removes "    \
  "it.\nexec @SHELL@ --event " event "\n"

static const struct hook_target targets[] = {
    {
        .host = "claude-code",
        .files = {".claude/settings.json", ".claude/settings.json"},
        .home_variable = "CLAUDE_CONFIG_DIR",
        .form = HOOK_FORM_GROUPS,
        .events = claude_events,
        .fields = SECONDS,
    },
    {
        .host = "codex",
        .files = {".codex/hooks.json", ".codex/hooks.json"},
        .home_variable = "CODEX_HOME",
        .form = HOOK_FORM_GROUPS,
        .events = codex_events,
        .fields = SECONDS,
    },
    {
        .host = "codex-notify",
        .files = {".codex/config.toml", NULL},
        .home_variable = "CODEX_HOME",
        .form = HOOK_FORM_NOTIFY,
    },
    {
        .host = "gemini",
        .files = {".gemini/settings.json", ".gemini/settings.json"},
        .home_variable = "GEMINI_CLI_HOME",
        .home_has_folder = true,
        .form = HOOK_FORM_GROUPS,
        .events = gemini_events,
        .fields = "\"name\": \"kaizen-host\", \"timeout\": 5000",
    },
    {
        .host = "cursor",
        .files = {".cursor/hooks.json", ".cursor/hooks.json"},
        .form = HOOK_FORM_LIST,
        .events = cursor_events,
        .command_name = "command",
        .fields = SECONDS,
    },
    {
        .host = "copilot",
        .files = {".copilot/hooks/kaizen-host.json", ".github/hooks/kaizen-host.json"},
        .home_variable = "COPILOT_HOME",
        .form = HOOK_FORM_LIST,
        .events = copilot_events,
        .command_name = "bash",
        .names_event = true,
        .fields = "\"type\": \"command\", \"timeoutSec\": 5",
    },
    {
        .host = "goose",
        .files = {".agents/plugins/kaizen-host/plugin.json",
                  ".agents/plugins/kaizen-host/plugin.json"},
        .form = HOOK_FORM_FILE,
        .text = hook_target_goose_plugin,
    },
    {
        .host = "goose",
        .files = {".agents/plugins/kaizen-host/hooks/hooks.json",
                  ".agents/plugins/kaizen-host/hooks/hooks.json"},
        .form = HOOK_FORM_GROUPS,
        .events = turn_events,
        .fields = SECONDS,
    },
    {
        .host = "openhands",
        .files = {".openhands/hooks.json", ".openhands/hooks.json"},
        .is_projects = true,
        .form = HOOK_FORM_GROUPS,
        .events = turn_events,
        .fields = SECONDS,
    },
    {
        .host = "opencode",
        .files = {".config/opencode/plugins/kaizen-host.js", ".opencode/plugins/kaizen-host.js"},
        .home_variable = "XDG_CONFIG_HOME",
        .form = HOOK_FORM_FILE,
        .text = hook_target_opencode,
    },
    {
        .host = "openclaw",
        .files = {".openclaw/extensions/kaizen-host/package.json", NULL},
        .home_variable = "OPENCLAW_STATE_DIR",
        .form = HOOK_FORM_FILE,
        .text = hook_target_openclaw_package,
    },
    {
        .host = "openclaw",
        .files = {".openclaw/extensions/kaizen-host/openclaw.plugin.json", NULL},
        .home_variable = "OPENCLAW_STATE_DIR",
        .form = HOOK_FORM_FILE,
        .text = hook_target_openclaw_manifest,
    },
    {
        .host = "openclaw",
        .files = {".openclaw/extensions/kaizen-host/index.js", NULL},
        .home_variable = "OPENCLAW_STATE_DIR",
        .form = HOOK_FORM_FILE,
        .text = hook_target_openclaw_index,
    },
    {
        .host = "openclaw",
        .files = {".openclaw/openclaw.json", NULL},
        .home_variable = "OPENCLAW_STATE_DIR",
        .form = HOOK_FORM_ENTRY,
        .entry_path = openclaw_entry,
        .text = "{ \"enabled\": true, \"hooks\": { \"allowConversationAccess\": true } }",
    },
    {
        .host = "qwen",
        .files = {".qwen/settings.json", ".qwen/settings.json"},
        .home_variable = "QWEN_HOME",
        .form = HOOK_FORM_GROUPS,
        .events = claude_events,
        .fields = "\"name\": \"kaizen-host\", \"timeout\": 5000",
    },
    {
        .host = "cline",
        .files = {".cline/hooks/TaskStart", NULL},
        .home_variable = "CLINE_DIR",
        .form = HOOK_FORM_FILE,
        .is_program = true,
        .text = HOOK_TARGET_CLINE("TaskStart"),
    },
    {
        .host = "cline",
        .files = {".cline/hooks/TaskResume", NULL},
        .home_variable = "CLINE_DIR",
        .form = HOOK_FORM_FILE,
        .is_program = true,
        .text = HOOK_TARGET_CLINE("TaskResume"),
    },
    {
        .host = "cline",
        .files = {".cline/hooks/TaskComplete", NULL},
        .home_variable = "CLINE_DIR",
        .form = HOOK_FORM_FILE,
        .is_program = true,
        .text = HOOK_TARGET_CLINE("TaskComplete"),
    },
    {
        .host = "cline",
        .files = {".cline/hooks/TaskError", NULL},
        .home_variable = "CLINE_DIR",
        .form = HOOK_FORM_FILE,
        .is_program = true,
        .text = HOOK_TARGET_CLINE("TaskError"),
    },
    {
        .host = "cline",
        .files = {".cline/hooks/TaskCancel", NULL},
        .home_variable = "CLINE_DIR",
        .form = HOOK_FORM_FILE,
        .is_program = true,
        .text = HOOK_TARGET_CLINE("TaskCancel"),
    },
    {
        .host = "droid",
        .files = {".factory/settings.json", ".factory/settings.json"},
        .form = HOOK_FORM_GROUPS,
        .events = droid_events,
        .fields = SECONDS,
    },
    {
        .host = "kimi",
        .files = {".kimi/config.toml", NULL},
        .home_variable = "KIMI_SHARE_DIR",
        .form = HOOK_FORM_TABLES,
        .events = claude_events,
    },
    {
        .host = "windsurf",
        .files = {".codeium/windsurf/hooks.json", ".windsurf/hooks.json"},
        .form = HOOK_FORM_LIST,
        .events = windsurf_events,
        .command_name = "command",
        .has_no_version = true,
        .fields = "\"show_output\": false",
    },
};

static const struct {
  const char *host, *note;
} notes[] = {
    {"claude-code", "running sessions keep their hooks; /hooks in a new session shows these"},
    {"codex", "Codex skips a new hook until you approve it: start Codex and open /hooks"},
    {"codex-notify", "notify reports only finished turns; 'install-hooks codex' also reports "
                     "durations and subagents"},
    {"gemini", "a project's hooks run only in trusted folders; /hooks shows them"},
    {"cursor", "Cursor reloads the file when it is saved; its Hooks settings page shows what ran"},
    {"copilot", "the hooks are loaded when a session starts"},
    {"goose", "the plugin is loaded when a session starts"},
    {"openhands", "the file is read when a conversation starts; a project's file hides the user's"},
    {"opencode", "plugins are loaded when OpenCode starts"},
    {"qwen", "the hooks are loaded when a session starts; /hooks shows them"},
    {"cline", "Cline runs the files without asking; hooks must be enabled in its settings"},
    {"droid", "/hooks shows them; Droid ignores hooks in the settings if there is a hooks.json "
              "next to them"},
    {"kimi", "the file is read when a session starts"},
    {"windsurf", "the file is read when Cascade starts"},
    {"openclaw", "restart the gateway; 'openclaw plugins inspect kaizen-host' shows the plugin"},
};

size_t hook_target_all_of(const char *host, enum hook_scope scope,
                          const struct hook_target *found[HOOK_TARGETS_MAX]) {
  size_t count = 0;
  for (size_t i = 0; i < sizeof targets / sizeof targets[0] && count < HOOK_TARGETS_MAX; i++)
    if (targets[i].files[scope] && strcmp(targets[i].host, host) == 0)
      found[count++] = &targets[i];
  return count;
}

enum hook_scope hook_target_scope(const char *host) {
  enum hook_scope scope = HOOK_SCOPE_PROJECT;

  for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
    if (strcmp(targets[i].host, host) == 0 && targets[i].files[HOOK_SCOPE_USER] &&
        !targets[i].is_projects)
      scope = HOOK_SCOPE_USER;
  return scope;
}

const char *hook_target_note(const char *host) {
  for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++)
    if (strcmp(notes[i].host, host) == 0)
      return notes[i].note;
  return NULL;
}

int hook_target_file(const struct hook_target *target, enum hook_scope scope,
                     const char *project_root, char file[PATH_MAX], struct problem *problem) {
  const char *named = NULL, *home = getenv("HOME");
  const char *name = target->files[scope];
  int len;
  if (scope == HOOK_SCOPE_USER && agent_home_read(target->home_variable, &named, problem) < 0)
    return -1;
  if (scope == HOOK_SCOPE_PROJECT)
    len = snprintf(file, PATH_MAX, "%s/%s", project_root, name);
  else if (named)
    len = snprintf(file, PATH_MAX, "%s/%s", named,
                   target->home_has_folder ? name : strchr(name, '/') + 1);
  else if (home && *home == '/')
    len = snprintf(file, PATH_MAX, "%s/%s", home, name);
  else
    return problem_set(problem, EXIT_CODE_FAILED, "no home folder; set HOME, or use --project");
  return len < PATH_MAX ? 0 : problem_set(problem, EXIT_CODE_FAILED, "the file name is too long");
}
