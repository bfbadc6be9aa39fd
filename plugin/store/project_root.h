/* project_root.h - what became of an open project's root: removed, moved, or another in its place.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_PROJECT_ROOT_H
#define KAIZEN_PROJECT_ROOT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* -1 with *error when it was removed, or when the host has closed our descriptor: then what is not
 * found there counts as unknown, not as none. */
int project_root_check(int root_fd, dev_t device, ino_t inode, const char *root,
                       struct error *error);
/* Is the open root still the folder of that name?  When it was moved, and perhaps another made
 * there, records go to where it is now.  True also when it was removed: every call then reports
 * that. */
bool project_root_is_in_place(int root_fd, const char *root);

#endif
