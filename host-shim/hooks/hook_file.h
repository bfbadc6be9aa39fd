/* hook_file.h - a settings file, replaced without losing anything else in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Its owner, mode, extended attributes and links stay, and an edit that somebody else makes at the
 * same time is not undone. */
#ifndef KAIZEN_HOST_HOOK_FILE_H
#define KAIZEN_HOST_HOOK_FILE_H

#include <limits.h>

#include "base/problem.h"

/* The file that a link leads to, also when that is not there yet: people keep their settings
 * elsewhere.  -1: the links lead in a circle, or the name is too long. */
int hook_file_resolve(char file[PATH_MAX], struct problem *problem);
/* Both: 1, the file does not hold `before` (NULL: it is not there) any more, and nothing is
 * changed; -1, EXIT_CODE_FAILED. */
int hook_file_write(const char *file, const char *before, const char *after,
                    struct problem *problem);
int hook_file_remove(const char *file, const char *before, struct problem *problem);
/* What root makes in a user's folder belongs to that user. */
void hook_file_adopt(const char *path);

#endif
