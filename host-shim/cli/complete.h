/* complete.h - what can stand at the end of a command line: for the shells' completion.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything comes from the tables of commands and options.  What is printed is for the scripts
 * in completions/: one candidate per line, a tab before its description, and lines that begin with
 * a colon, which leave the rest to the shell:
 *   :files, :folders   names of files, of folders; after "--name=" when the word begins so
 *   :command           a command line of its own begins after "--"
 * A candidate that ends with "=" needs a value after it.  Candidates are not filtered by what has
 * been typed: the shell does that. */
#ifndef KAIZEN_HOST_COMPLETE_H
#define KAIZEN_HOST_COMPLETE_H

#include <stddef.h>

#include "host/command.h"

struct complete {
  const struct command *command;           /* NULL: still to come */
  const struct option_spec *option;        /* its value is what comes next; or NULL */
  const char *directory;                   /* of -C, or NULL */
  const char *words[3];                    /* the command's positional arguments, the first ones */
  size_t word_count;                       /* of them, all */
  bool is_help, is_lost, is_other_command; /* after "help"; after an unknown command; after -- */
};

/* Reads the words after "kaizen-host", up to and without the last one. */
void complete_read(struct complete *complete, char *const *words, size_t count);
/* Prints what the last word can be. */
void complete_print(const struct complete *complete, const char *last, const struct host *host);

#endif
