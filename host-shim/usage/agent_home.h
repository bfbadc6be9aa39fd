/* agent_home.h - the variable by which a coding agent's folder is moved.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_AGENT_HOME_H
#define KAIZEN_HOST_AGENT_HOME_H

#include "base/problem.h"

/* *folder: what the variable names; NULL when it is not set, or `variable` is NULL.  -1: it is not
 * a full path.  A coding agent that takes such a path takes it from the folder it is started in,
 * which is not known here; of XDG_ variables it has no meaning. */
int agent_home_read(const char *variable, const char **folder, struct problem *problem);

#endif
