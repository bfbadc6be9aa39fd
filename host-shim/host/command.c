/* command.c - the list of commands and the options they share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/command.h"

#include <string.h>

#include "base/nearest.h"
#include "cli/command_list.h"

const struct option_spec command_global_options[] = {
    {"directory", 'C', OPTION_DIRECTORY, "DIR", "the project's root folder"},
    {"config", 0, OPTION_FILE, "FILE", "the host's configuration file"},
    {"plugin", 0, OPTION_FILE, "FILE", "the plugin to load"},
    {"set", 0, OPTION_PAIR, "KEY=VALUE",
     "one setting of the plugin, over the file's; may be repeated"},
    {"output", 'o', OPTION_CHOICE, "text|json", "how results are printed"},
    {"quiet", 'q', OPTION_FLAG, NULL, "only errors, and data that was asked for"},
    {"verbose", 'v', OPTION_FLAG, NULL, "what the plugin has to say, too"},
    {"version", 0, OPTION_FLAG, NULL, "print the version"},
    {"help", 'h', OPTION_FLAG, NULL, "print this help, or a command's"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

const struct command *command_find(const char *name) {
  for (const struct command *const *command = command_list; *command; command++)
    if (strcmp((*command)->name, name) == 0)
      return *command;
  return NULL;
}

int command_unknown(const char *name, struct problem *problem) {
  struct nearest nearest = nearest_to(name);

  for (const struct command *const *command = command_list; *command; command++)
    nearest_offer(&nearest, (*command)->name);
  if (nearest.best)
    return problem_set(problem, EXIT_CODE_USAGE, "unknown command '%s'; did you mean '%s'?", name,
                       nearest.best);
  return problem_set(problem, EXIT_CODE_USAGE, "unknown command '%s'; kaizen-host -h lists them",
                     name);
}

const char *command_word(const struct host *host, size_t i) {
  return i < host->arguments->word_count ? host->arguments->words[i] : NULL;
}

int command_choose_word(const struct command *command, const struct host *host,
                        struct problem *problem) {
  const char *word = command_word(host, 0);
  struct nearest nearest = nearest_to(word);
  for (int i = 0; command->words[i]; i++) {
    if (strcmp(command->words[i], word) == 0)
      return i;
    nearest_offer(&nearest, command->words[i]);
  }
  return problem_set(problem, EXIT_CODE_USAGE, "%s: unknown '%s'%s%s%s; usage: kaizen-host %s %s",
                     command->name, word, nearest.best ? ", did you mean '" : "",
                     nearest.best ? nearest.best : "", nearest.best ? "'?" : "", command->name,
                     command->synopsis);
}
