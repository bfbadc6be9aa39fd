/* hook_command.h - the command by which a coding agent calls us, in the notation of its settings.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_COMMAND_H
#define KAIZEN_HOST_HOOK_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { HOOK_COMMAND_WORDS_MAX = 64 };

struct hook_command {
  const char *words[HOOK_COMMAND_WORDS_MAX];
  size_t count;
  bool too_long; /* words were left out */
};
/* The file of this program.  -1 with errno. */
int hook_command_program(char program[PATH_MAX]);
/* For a shell, quoted where needed; `event` adds --event.  Newly allocated, NULL without memory. */
char *hook_command_shell(const struct hook_command *command, const char *event);
/* As a JSON (and TOML and JavaScript) array of texts. */
char *hook_command_array(const struct hook_command *command);
/* `text` with @ARRAY@ or @SHELL@ replaced. */
char *hook_command_fill(const struct hook_command *command, const char *text);
/* [[hooks]] of TOML for each of the events; NULL-terminated. */
char *hook_command_tables(const struct hook_command *command, const char *const *events);

#endif
