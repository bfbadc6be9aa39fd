/* hook_line.h - whether a command in the settings is ours.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Only a line that calls kaizen-host's hook for this host, with options and nothing else, is ours
 * to change and to remove.  Where the call is part of a larger line (a redirection, a second
 * command, a shell around it), the line is the user's. */
#ifndef KAIZEN_HOST_HOOK_LINE_H
#define KAIZEN_HOST_HOOK_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* A command line in the settings, quoted as there, is shorter than this. */
enum { HOOK_LINE_BYTES_MAX = 4096 };

enum hook_line_owner {
  HOOK_LINE_FOREIGN, /* it does not call the hook */
  HOOK_LINE_MIXED,   /* the user's line, which calls the hook */
  HOOK_LINE_OURS
};

/* A command line for a shell. */
enum hook_line_owner hook_line_judge(const char *line, const char *host);
/* The program that a command of ours calls, as it is named there; false: it is not a command of
 * ours. */
bool hook_line_program(const char *line, const char *host, char *program, size_t room);
/* An array of strings as JSON and TOML write it: program and arguments. */
enum hook_line_owner hook_line_judge_array(const char *text, size_t len, const char *host);

#endif
