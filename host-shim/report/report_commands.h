/* report_commands.h - the commands of this folder: they show what was recorded.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_COMMANDS_H
#define KAIZEN_HOST_REPORT_COMMANDS_H

#include "host/command.h"

extern const struct command command_show;
extern const struct command command_top;
extern const struct command command_list_agents;
extern const struct command command_check;
extern const struct command command_compare;
extern const struct command command_export;
extern const struct command command_report;
extern const struct command command_openmetrics;

#endif
