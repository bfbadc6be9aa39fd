/* hook_diff.h - what would change in a text file, line by line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_DIFF_H
#define KAIZEN_HOST_HOOK_DIFF_H

#include <stdio.h>

/* A unified diff with three lines around each change. A text that is NULL is a missing file;
 * nothing is printed for equal texts. */
void hook_diff_print(FILE *out, const char *file, const char *before, const char *after);

#endif
