/* command_list.c - the commands in the order of the help.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/command_list.h"

const struct command *const command_list[] = {
    &command_record,
    &command_exec,
    &command_hook,
    &command_install_hooks,
    &command_uninstall_hooks,
    &command_replay,
    &command_show,
    &command_list_agents,
    &command_export,
    &command_report,
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
