/* command_uninstall_hooks.c - remove hooks from a coding agent's settings.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/output.h"
#include "hooks/hook_host.h"
#include "hooks/hook_install.h"
#include "hooks/hooks_commands.h"
#include "hooks/nemo_install.h"
#include "host/command.h"

static const struct command_example examples[] = {
    {"uninstall-hooks claude-code", "remove what install-hooks wrote, and nothing else"},
    {"uninstall-hooks cursor --project --dry-run", "show what would be removed"},
    {NULL, NULL},
};

static int plan_uninstall(const struct host *host, struct hook_plan *plan,
                          const struct hook_state *state, struct problem *problem) {
  (void)host;
  return hook_plan_uninstall(plan, state, problem);
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
    result = hook_install_carry_out(host, &plan, &state, plan_uninstall, &problem);
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
               "if it did not exist before.  From any other file, only the entries of kaizen-host "
               "are removed.",
    .examples = examples,
    .option_groups = {hook_install_options},
    .words = {HOOK_HOST_NAMES, "nemo-relay"},
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
