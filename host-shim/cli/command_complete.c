/* command_complete.c - called by the shells: what can stand at the end of a command line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_commands.h"
#include "cli/complete.h"
#include "host/command.h"

static const struct command_example examples[] = {
    {"complete -- drain --resend-", "options of drain, one per line"},
    {"complete -- show ''", "agents of this project"},
    {NULL, NULL},
};

static int run(const struct host *host) {
  char *const *words = host->arguments->rest;
  struct complete complete;
  size_t count = 0;

  while (words && words[count])
    count++;
  complete_read(&complete, words, count > 0 ? count - 1 : 0);
  complete_print(&complete, count > 0 ? words[count - 1] : "", host);
  return EXIT_CODE_OK;
}

const struct command command_complete = {
    .name = "complete",
    .synopsis = "-- [WORD...]",
    .summary = "list completions, for shells",
    .details = "WORD... is the command line after kaizen-host; the last word may be incomplete.  "
               "The installed scripts for bash, zsh and fish call this command.  It prints one "
               "candidate per line, with a description; a line that starts with a colon tells the "
               "shell what to complete itself.",
    .examples = examples,
    .takes_rest = true,
    .run = run,
};
