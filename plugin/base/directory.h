/* directory.h - files and folders below a directory descriptor, without following links.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Names are looked up through os_files.h.  What is opened is a regular file with one link, or a
 * folder, and belongs to the effective user, or to the group of a shared folder, or, only to be
 * read, to the owner of `directory_fd`; else it is refused. Links, FIFOs, sockets and devices are
 * never opened for use. Descriptors are close-on-exec.
 *
 * A folder is shared when it is setgid and open to its group: what is made in it gets its group,
 * and these functions open it to that group, too. */
#ifndef KAIZEN_BASE_DIRECTORY_H
#define KAIZEN_BASE_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"

/* All answer 0, 1 when nothing of that name exists, -1 with *error (ERROR_IO; text names
 * `path`). */
int directory_open_file(int directory_fd, const char *path, int open_flags, int *fd,
                        struct error *error);
/* *status of what directory_open_file() would open, refused as it would be; nothing is opened. */
int directory_look_at_file(int directory_fd, const char *path, struct stat *status,
                           struct error *error);
int directory_open_folder(int directory_fd, const char *path, int *fd, struct error *error);
/* Makes one folder (0700) unless it is there, and opens it; *made says whether it did. */
int directory_make_folder(int directory_fd, const char *name, bool *made, int *fd,
                          struct error *error);
bool directory_is_shared(const struct stat *folder);
/* Shares a folder of ours, and our files in it, with the group of its parent; a folder of another
 * user is left as it is. */
int directory_share_folder(int parent_fd, const char *name, int fd, struct error *error);
/* Is the descriptor still that of this file?  Not when the host has closed it: a file of its own
 * may have the number by now, which must be neither written nor closed. */
bool directory_is_file(int fd, dev_t device, ino_t inode);
/* Moves `from` over `to` in one step: RENAME_EXCHANGE and unlink of the old file where the file
 * system can, which spares the flush a plain rename costs (docs/performance.md), else rename. */
int directory_replace_file(int directory_fd, const char *from, const char *to, struct error *error);

/* Reads or writes all of `len` at `offset`, also when the kernel does it in pieces; EINTR is
 * retried.  read: *got < len only at the end of the file. */
int directory_read_at(int fd, void *bytes, size_t len, uint64_t offset, size_t *got,
                      struct error *error);
int directory_write_at(int fd, const void *bytes, size_t len, uint64_t offset, struct error *error);

#endif
