/* result_quality.h - a command that judges a result: a number from 0 to 1 on its standard output.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RESULT_QUALITY_H
#define KAIZEN_HOST_RESULT_QUALITY_H

#include "base/problem.h"

/* Runs the command with sh(1), the judged command's exit status in KAIZEN_EXEC_STATUS, nothing on
 * standard input. -1: it could not be run, failed, was not over in time (it and what it started are
 * then ended), or printed something else. */
int result_quality_run(const char *command, int exit_status, double timeout_s, double *quality,
                       struct problem *problem);

#endif
