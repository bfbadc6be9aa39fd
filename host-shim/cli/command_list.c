/* command_list.c - all commands, and the options they share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/command_list.h"

#include <string.h>

#include "base/nearest.h"
#include "cli/cli_commands.h"
#include "hooks/hooks_commands.h"
#include "operator/operator_commands.h"
#include "record/record_commands.h"
#include "report/report_commands.h"

const struct command *const command_list[] = {
    &command_record,
    &command_exec,
    &command_hook,
    &command_install_hooks,
    &command_uninstall_hooks,
    &command_import,
    &command_replay,
    &command_show,
    &command_list_agents,
    &command_check,
    &command_compare,
    &command_export,
    &command_report,
    &command_top,
    &command_openmetrics,
    &command_status,
    &command_drain,
    &command_dead_letters,
    &command_broker,
    &command_watch,
    &command_doctor,
    &command_verify,
    &command_config,
    &command_info,
    &command_complete,
    NULL,
};

const struct option_spec command_list_options[] = {
    {"directory", 'C', OPTION_DIRECTORY, "DIR", "the project's root folder"},
    {"config", 0, OPTION_FILE, "FILE", "the host's configuration file"},
    {"plugin", 0, OPTION_FILE, "FILE", "the plugin to load"},
    {"set", 0, OPTION_PAIR, "KEY=VALUE",
     "one setting of the plugin, over the file's; may be repeated"},
    {"output", 'o', OPTION_CHOICE, "text|json", "how results are printed"},
    {"quiet", 'q', OPTION_FLAG, NULL, "only errors, and data that was asked for"},
    {"verbose", 'v', OPTION_FLAG, NULL, "what the plugin has to say, too"},
    {"version", 0, OPTION_FLAG, NULL, "print the version"},
    {"help", 'h', OPTION_FLAG, NULL, "print this help, or a command's"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

const struct command *command_list_find(const char *name) {
  for (const struct command *const *command = command_list; *command; command++)
    if (strcmp((*command)->name, name) == 0)
      return *command;
  return NULL;
}

const char *command_list_nearest(const char *name) {
  struct nearest nearest = nearest_to(name);

  for (const struct command *const *command = command_list; *command; command++)
    nearest_offer(&nearest, (*command)->name);
  return nearest.best;
}

int command_list_unknown(const char *name, struct problem *problem) {
  const char *near = command_list_nearest(name);

  if (near)
    return problem_set(problem, EXIT_CODE_USAGE, "unknown command '%s'; did you mean '%s'?", name,
                       near);
  return problem_set(problem, EXIT_CODE_USAGE, "unknown command '%s'; kaizen-host -h lists them",
                     name);
}
