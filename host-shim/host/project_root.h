/* project_root.h - which project a command is about.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_PROJECT_ROOT_H
#define KAIZEN_HOST_PROJECT_ROOT_H

#include <limits.h>
#include <stdbool.h>

#include "base/problem.h"

/* The project whose metrics are used: the real path of `directory` (-C) when it is not NULL.  Else
 * the nearest folder from the working directory up that has .kaizen/, else the nearest with .git,
 * else the working directory itself; never / or the home folder, whose .kaizen/ belongs to another
 * program.  In a linked git work tree the same folder of the main checkout takes its place, so that
 * records outlive the work tree.  -1: no such folder, or only those two. */
int project_root_find(const char *directory, char root[PATH_MAX], struct problem *problem);
/* The same for a search that begins in `folder` instead of the working directory. */
int project_root_of(const char *folder, char root[PATH_MAX], struct problem *problem);
/* Of a folder that may be gone: the search begins in the nearest one above it that is there. */
int project_root_of_gone(const char *folder, char root[PATH_MAX], struct problem *problem);
/* Something has made it a project: it has .kaizen/ or .git. */
bool project_root_is_marked(const char *root);
/* The project whose files are used, such as settings: as above, but a linked work tree is a project
 * of its own, from its top. */
int project_root_checkout(const char *directory, char root[PATH_MAX], struct problem *problem);
/* Where somebody who works in `directory`, or in the working directory, has the files of the
 * project `root`: its folder in the linked work tree that this is in, else root itself. */
void project_root_folder(const char *directory, const char *root, char folder[PATH_MAX]);

#endif
