/* command.h - one command of kaizen-host: its arguments, its help, and the function that runs it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One file per command (command_NAME.c), each with one `const struct command command_NAME`, listed
 * in cli/command_list.c.  Option parsing, help and shell completions are made from these tables. */
#ifndef KAIZEN_HOST_COMMAND_H
#define KAIZEN_HOST_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/problem.h"
#include "host/options.h"

#ifdef PACKAGE_VERSION /* of the build */
#define KAIZEN_HOST_VERSION PACKAGE_VERSION
#else
#define KAIZEN_HOST_VERSION "unversioned"
#endif

struct host {                        /* what every command is given; all borrowed */
  const struct arguments *arguments; /* global options and the command's own */
  const char *directory;             /* -C, or NULL */
  const char *config_file;           /* --config, or NULL */
  const char *plugin_name;           /* --plugin, or NULL */
  bool only_reads;                   /* as the command has it */
};

struct command_example {
  const char *line; /* after "kaizen-host " */
  const char *what;
};

struct command {
  const char *name;
  const char *synopsis;                   /* after the name */
  const char *second_synopsis;            /* another form, or NULL */
  const char *summary;                    /* one line for the list of commands */
  const char *details;                    /* paragraphs after the options, or NULL */
  const struct command_example *examples; /* ends with a zeroed entry */
  const struct option_spec *option_groups[OPTION_GROUPS_MAX]; /* its own; NULL-terminated */
  const char *words[20];       /* what its first positional argument can be; NULL-terminated */
  bool takes_agent;            /* its first positional argument is an agent; for the completions */
  size_t words_min, words_max; /* positional arguments */
  bool only_reads;  /* the project may belong to another user: only a --repair writes there */
  bool takes_rest;  /* a command line after "--" */
  int usage_status; /* exit status for a wrong command line; 0: EXIT_CODE_USAGE */
  /* Says what is wrong with a command line and answers the exit status; NULL: as above. */
  int (*refused)(const struct problem *problem);
  int (*run)(const struct host *host); /* answers the exit status */
};

/* The i-th positional argument, or NULL. */
const char *command_word(const struct host *host, size_t i);
/* For a command whose first positional argument is one of its `words`: its index there, or -1
 * with the nearest. */
int command_choose_word(const struct command *command, const struct host *host,
                        struct problem *problem);

#endif
