/* hooks_commands.h - the commands of this folder: for the hooks of coding agents.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOKS_COMMANDS_H
#define KAIZEN_HOST_HOOKS_COMMANDS_H

#include "host/command.h"

extern const struct command command_hook;
extern const struct command command_install_hooks;
extern const struct command command_uninstall_hooks;

#endif
