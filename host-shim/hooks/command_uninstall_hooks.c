/* command_uninstall_hooks.c - remove hooks from a coding agent's settings.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/output.h"
#include "hooks/hook_install.h"
#include "hooks/hooks_commands.h"
#include "hooks/nemo_install.h"
#include "host/command.h"

static const struct command_example examples[] = {
    {"uninstall-hooks claude-code", "remove what install-hooks wrote, and nothing else"},
    {"uninstall-hooks cursor --project --dry-run", "show what would be removed"},
    {NULL, NULL},
};

static int plan_and_apply(const struct host *host, struct hook_plan *plan,
                          const struct hook_state *state, struct problem *problem) {
  for (int tries = 0; tries < HOOK_INSTALL_TRIES_MAX; tries++) {
    if (hook_plan_uninstall(plan, state, problem) < 0)
      return -1;
    int result =
        options_given(host->arguments, "dry-run") ? 0 : hook_plan_apply(plan, state, problem);
    if (result <= 0)
      return result;
    hook_plan_free(plan);
  }
  return hook_install_give_up(plan->host, problem);
}

static int run(const struct host *host) {
  struct hook_plan plan;
  struct hook_state state = {.folder = -1};
  struct problem problem;
  char root[PATH_MAX];

  if (nemo_install_is_meant(host))
    return nemo_install_undo(host);
  int result = hook_install_begin(host, &plan, root, &problem);

  if (result == 0)
    result = hook_install_open_state(host, &state, &problem);
  if (result == 0)
    result = plan_and_apply(host, &plan, &state, &problem);
  int status = result < 0 ? output_problem(&problem) : hook_install_report(host, &plan, NULL);
  hook_plan_free(&plan);
  hook_state_close(&state);
  return status;
}

const struct command command_uninstall_hooks = {
    .name = "uninstall-hooks",
    .synopsis = "HOST [--user|--project] [--dry-run]",
    .summary = "remove hooks from a coding agent's settings",
    .details = "A file that was not edited since install-hooks is restored to the byte, or removed "
               "if it did not exist before.  From any other file, only our entries are removed.",
    .examples = examples,
    .option_groups = {hook_install_options},
    .words = {"claude-code", "codex", "codex-notify", "gemini", "cursor", "copilot", "goose",
              "openhands", "opencode", "openclaw", "qwen", "cline", "droid", "kimi", "windsurf",
              "nemo-relay"},
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
