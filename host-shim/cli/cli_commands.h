/* cli_commands.h - the commands of this folder: for the shells.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_CLI_COMMANDS_H
#define KAIZEN_HOST_CLI_COMMANDS_H

#include "host/command.h"

extern const struct command command_complete;

#endif
