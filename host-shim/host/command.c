/* command.c - a command's positional arguments.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/command.h"

#include <string.h>

#include "base/nearest.h"

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
