/* output_file.h - a file that the user names for output.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_OUTPUT_FILE_H
#define KAIZEN_HOST_OUTPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/problem.h"

/* True for "-" and for the names that stand for standard output, such as /dev/stdout. */
bool output_file_is_stdout(const char *file);
/* Writes the text to the file as the shell's > would: through links, into devices and pipes, a new
 * file with the mode the umask leaves, an existing one with its own mode.  A regular file is
 * replaced as a whole where that is possible, so that a reader sees the old or the new text; it is
 * written in place when it has other hard links, or when its folder or owner forbids a replacement.
 * A missing folder is never made.  -1: EXIT_CODE_FAILED. */
int output_file_write(const char *file, const char *text, size_t len, struct problem *problem);

#endif
