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
    &command_replay,
    &command_install_hooks,
    &command_uninstall_hooks,
    &command_import,
    &command_hook,
    &command_show,
    &command_list_agents,
    &command_check,
    &command_compare,
    &command_report,
    &command_top,
    &command_export,
    &command_openmetrics,
    &command_status,
    &command_drain,
    &command_watch,
    &command_dead_letters,
    &command_broker,
    &command_doctor,
    &command_verify,
    &command_config,
    &command_info,
    &command_complete,
    NULL,
};

const struct command_heading command_list_headings[] = {
    {"Record", &command_record},      {"Coding agents", &command_install_hooks},
    {"Results", &command_show},       {"Events", &command_status},
    {"Maintenance", &command_doctor}, {NULL, NULL},
};

const struct option_spec command_list_options[] = {
    {"directory", 'C', OPTION_DIRECTORY, "DIR", "project folder; default: found from here upwards"},
    {"config", 0, OPTION_FILE, "FILE", "configuration file of kaizen-host"},
    {"plugin", 0, OPTION_FILE, "FILE", "plugin to load"},
    {"set", 0, OPTION_PAIR, "KEY=VALUE", "override one plugin setting; repeatable"},
    {"output", 'o', OPTION_CHOICE, "text|json", "output format; default: text"},
    {"quiet", 'q', OPTION_FLAG, NULL, "print only errors and requested data"},
    {"verbose", 'v', OPTION_FLAG, NULL, "also print the plugin's messages"},
    {"version", 0, OPTION_FLAG, NULL, "print the version"},
    {"help", 'h', OPTION_FLAG, NULL, "print this help, or that of a command"},
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
