/* operator_commands.h - the commands of this folder: for operators of hosts and brokers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_OPERATOR_COMMANDS_H
#define KAIZEN_HOST_OPERATOR_COMMANDS_H

#include "host/command.h"

extern const struct command command_import;
extern const struct command command_replay;
extern const struct command command_status;
extern const struct command command_drain;
extern const struct command command_dead_letters;
extern const struct command command_broker;
extern const struct command command_watch;
extern const struct command command_doctor;
extern const struct command command_verify;
extern const struct command command_config;
extern const struct command command_info;

#endif
