/* command_list.h - all commands, and the options they share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_COMMAND_LIST_H
#define KAIZEN_HOST_COMMAND_LIST_H

#include "host/command.h"

extern const struct option_spec command_list_options[];

/* In the order of the help; NULL-terminated. */
extern const struct command *const command_list[];

struct command_heading {
  const char *text;
  const struct command *first; /* the command that it stands above */
};
/* The groups of the help, in the order of command_list; ends with a zeroed entry. */
extern const struct command_heading command_list_headings[];
const struct command *command_list_find(const char *name);
/* The command that was probably meant, or NULL. */
const char *command_list_nearest(const char *name);
/* "unknown command" with the nearest known one; -1. */
int command_list_unknown(const char *name, struct problem *problem);

#endif
