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

/* The file that a link leads to, even if it does not exist yet: people keep their settings
 * elsewhere.  -1: the links lead in a circle, or the name is too long. */
int hook_file_resolve(char file[PATH_MAX], struct problem *problem);
/* Both answer 1 when the file no longer holds `before` (NULL: it is missing), and nothing is
 * changed; -1: EXIT_CODE_FAILED. */
int hook_file_write(const char *file, const char *before, const char *after,
                    struct problem *problem);
int hook_file_remove(const char *file, const char *before, struct problem *problem);
/* A file that root makes in a user's folder gets that user as its owner. */
void hook_file_adopt(const char *path);

#endif
