/* command_list.h - the commands, one file each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_COMMAND_LIST_H
#define KAIZEN_HOST_COMMAND_LIST_H

#include "host/command.h"

extern const struct command command_record;
extern const struct command command_exec;
extern const struct command command_hook;
extern const struct command command_install_hooks;
extern const struct command command_uninstall_hooks;
extern const struct command command_replay;
extern const struct command command_show;
extern const struct command command_list_agents;
extern const struct command command_export;
extern const struct command command_status;
extern const struct command command_drain;
extern const struct command command_broker;
extern const struct command command_watch;
extern const struct command command_info;
extern const struct command command_complete;
extern const struct command command_doctor;
extern const struct command command_verify;
extern const struct command command_dead_letters;
extern const struct command command_report;
extern const struct command command_openmetrics;
extern const struct command command_config;

#endif
