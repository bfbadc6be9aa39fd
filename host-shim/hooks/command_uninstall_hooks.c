/* command_uninstall_hooks.c - remove hooks from a coding agent's settings.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/output.h"
#include "hooks/hook_host.h"
#include "hooks/hook_install.h"
#include "hooks/hooks_commands.h"
#include "hooks/nemo_install.h"
#include "host/command.h"
#include "host/project_root.h"

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

/* What is left for the other scope, or NULL. */
static const char *note_of(const struct host *host, const struct hook_plan *plan, char note[200]) {
  bool is_users = plan->scope == HOOK_SCOPE_USER;
  enum hook_scope other = is_users ? HOOK_SCOPE_PROJECT : HOOK_SCOPE_USER;
  char root[PATH_MAX] = "";
  struct problem ignored;

  if (is_users && project_root_checkout(host->directory, root, &ignored) < 0)
    return NULL;
  if (hook_plan_presence(plan->host, other, root) == HOOK_ABSENT)
    return NULL;
  snprintf(note, 200,
           "%s settings have hooks of kaizen-host, too; 'kaizen-host uninstall-hooks %s --%s' "
           "removes them",
           is_users ? "this project's" : "the user's", plan->host, is_users ? "project" : "user");
  return note;
}

static int run(const struct host *host) {
  struct hook_plan plan;
  struct hook_state state = {.folder = -1};
  struct problem problem;
  char root[PATH_MAX], note[200];

  if (nemo_install_is_meant(host))
    return nemo_install_undo(host);
  int result = hook_install_begin(host, &plan, root, &problem);

  if (result == 0)
    result = hook_install_open_state(host, &state, &problem);
  if (result == 0)
    result = hook_install_carry_out(host, &plan, &state, plan_uninstall, &problem);
  int status = result < 0 ? output_problem(&problem)
                          : hook_install_report(host, &plan, note_of(host, &plan, note));
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
