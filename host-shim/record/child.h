/* child.h - a command run in the foreground: timed, signals passed on, terminal untouched.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_CHILD_H
#define KAIZEN_HOST_CHILD_H

#include <stdbool.h>

#include "base/problem.h"

struct child_result {
  int exec_error;  /* errno: the command could not be run at all; the rest is then meaningless */
  int wait_status; /* as waitpid() has it */
  /* The last SIGINT, SIGTERM or SIGHUP that came meanwhile, or 0; also 0 when the command handled
   * it: it read more input from the terminal, or ran on for ten seconds. */
  int interrupted_by;
  bool timed_out;   /* it was stopped because its time was over */
  double elapsed_s; /* monotonic */
};

/* Runs argv (looked up in PATH) in this process group and waits for its end. Signals sent to this
 * process are passed on; those that are sent to the whole group reach the command anyway.
 *
 * After limit_s (0: never) the command gets SIGTERM, five seconds later SIGKILL. Without a terminal
 * it then runs in a process group of its own, and everything that it started in that group ends
 * with it; a command that uses a terminal must stay in ours, and only it is stopped.  -1: no
 * process could be made. */
int child_run(char *const *argv, double limit_s, struct child_result *result,
              struct problem *problem);

#endif
