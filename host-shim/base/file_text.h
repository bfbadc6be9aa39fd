/* file_text.h - whole files in and out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_FILE_TEXT_H
#define KAIZEN_HOST_FILE_TEXT_H

#include <stddef.h>
#include <sys/types.h>

#include "base/problem.h"

/* The whole file, or standard input for "-", NUL-terminated after *len bytes; *text is newly
 * allocated. -1: cannot be read, or has more than `max` bytes (EXIT_CODE_FAILED). */
int file_text_read(const char *file, size_t max, char **text, size_t *len, struct problem *problem);
/* The same of a file that the user did not name: not from a FIFO, which may never be written to, or
 * a device (EXIT_CODE_REFUSED). */
int file_text_read_regular(const char *file, size_t max, char **text, size_t *len,
                           struct problem *problem);
/* The text after the byte order mark that some editors write first. */
char *file_text_skip_mark(char *text);
/* All of it, at the place of the open file; -1 with errno. */
int file_text_write(int fd, const char *text, size_t len);
/* Replaces a regular file of ours as a whole: a reader sees the old or the new one.  Missing
 * folders of the path are made (0700).  For a file that the user names: output_file.h. */
int file_text_replace(const char *file, mode_t mode, const char *text, size_t len,
                      struct problem *problem);

#endif
