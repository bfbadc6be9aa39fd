/* command_complete.c - called by the shells: what can stand at the end of a command line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_commands.h"
#include "cli/complete.h"
#include "host/command.h"

static const struct command_example examples[] = {
    {"complete -- drain --resend-", "the options of drain, a line each"},
    {"complete -- show ''", "the agents of this project"},
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
    .summary = "what can come next on a command line, for shells",
    .details = "The words are those after kaizen-host, the last one as far as it is typed.  The "
               "scripts for bash, zsh and\n"
               "fish, which are installed where these shells look, call this and show what it "
               "answers: a candidate and\n"
               "its description a line; lines that begin with a colon leave the rest to the shell.",
    .examples = examples,
    .takes_rest = true,
    .run = run,
};
