/* work_tree.h - linked git work trees (git worktree add), recognised by their files; git is not
 * run.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_WORK_TREE_H
#define KAIZEN_HOST_WORK_TREE_H

#include <limits.h>
#include <stdbool.h>

/* True when `folder`, a real path, is in a linked work tree whose main checkout is known.  `top` is
 * the work tree's own top folder.  `main` is the folder of the main checkout that corresponds to
 * `folder`: the same path below it, as far as that exists.  A bare repository has no main checkout,
 * and one of another user cannot be recorded in. */
bool work_tree_find(const char *folder, char top[PATH_MAX], char main[PATH_MAX]);

#endif
