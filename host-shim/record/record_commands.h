/* record_commands.h - the commands of this folder: they record one execution.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RECORD_COMMANDS_H
#define KAIZEN_HOST_RECORD_COMMANDS_H

#include "host/command.h"

extern const struct command command_record;
extern const struct command command_exec;

#endif
