/* child.h - a command run in the foreground: timed, signals handed on, terminal untouched.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_CHILD_H
#define KAIZEN_HOST_CHILD_H

#include "base/problem.h"

struct child_result {
  int exec_error;     /* errno: the command could not be run at all; the rest is then meaningless */
  int wait_status;    /* as waitpid() has it */
  int interrupted_by; /* the last SIGINT, SIGTERM or SIGHUP this process got meanwhile, or 0 */
  double elapsed_s;   /* monotonic */
};

/* Runs argv (looked up in PATH) in this process group and waits for its end.  Signals sent to
 * this process are handed on; those the terminal sends reach the command by themselves.  -1: no
 * process could be made. */
int child_run(char *const *argv, struct child_result *result, struct problem *problem);

#endif
