/* help.h - the help texts, made from the tables of the commands.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HELP_H
#define KAIZEN_HOST_HELP_H

#include <stdio.h>

#include "host/command.h"

void help_print_program(FILE *out);
void help_print_command(FILE *out, const struct command *command);

#endif
