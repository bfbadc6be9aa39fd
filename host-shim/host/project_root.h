/* project_root.h - which project a command is about.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_PROJECT_ROOT_H
#define KAIZEN_HOST_PROJECT_ROOT_H

#include <limits.h>

#include "base/problem.h"

/* The real path of `directory` (-C) when it is not NULL.  Else the nearest folder from the
 * working directory up that has .kaizen/, else the nearest with .git, else the working directory
 * itself; never / or the home folder, whose .kaizen/ belongs to another program.  -1: no such
 * folder, or nothing but those two. */
int project_root_find(const char *directory, char root[PATH_MAX], struct problem *problem);

#endif
