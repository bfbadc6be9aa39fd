/* os_files.h - what files need of the operating system beyond POSIX, with a POSIX replacement for
 * each.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The Linux calls openat2, renameat2 and statx stand here and nowhere else.  Where one is missing
 * (an older kernel, `configure --without-linux-calls`) or refused (a sandbox answers ENOSYS, EPERM
 * or EACCES) the POSIX way is taken at once; os_limits.h says which promise is weaker then. */
#ifndef KAIZEN_BASE_OS_FILES_H
#define KAIZEN_BASE_OS_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Descriptors 0, 1 and 2 are the host's, also where it has closed them: what it prints to or reads
 * from must never be a file of ours.  Fills the free ones with descriptors that can be neither read
 * nor written, so that what is opened before os_files_give_back() is above them. */
struct os_files_taken {
  int fds[3];
  unsigned count;
};
void os_files_take_standard(struct os_files_taken *taken);
/* errno is kept. */
void os_files_give_back(struct os_files_taken *taken);
/* openat() for a file to be written: above 2, close-on-exec. */
int os_files_openat(int directory_fd, const char *name, int flags, mode_t mode);
/* Makes a file that is not there yet, to be written: above 2, close-on-exec.  The same without
 * asking first which of the standard descriptors are free. */
int os_files_make(int directory_fd, const char *name, mode_t mode);

/* Opens `path` below the folder, above descriptor 2, close-on-exec, through no symbolic link and no
 * "..".  -1 with errno: ELOOP for a link, EXDEV for a path that leads outside.  A new file gets
 * `mode`.  A lease of another program is waited for only when it is broken within a few tries. */
int os_files_open(int directory_fd, const char *path, int flags, mode_t mode);
/* *status of such a path, of any kind, without opening it for reading or writing. */
int os_files_look(int directory_fd, const char *path, struct stat *status);

/* Exchanges two names of one folder in one step.  -1 with errno where that is impossible; nothing
 * is changed then. */
int os_files_exchange(int directory_fd, const char *one, const char *other);

/* What distinguishes a folder from a copy of it. */
struct os_files_mark {
  uint64_t inode;
  int64_t birth_ns; /* 0: unknown to the file system, or to this process */
};
int os_files_mark(int fd, struct os_files_mark *mark);

/* *name is "NFS", "FUSE" and the like, NULL for a local file system or where that is unknown. */
int os_files_network(int fd, const char **name);

/* A mark on an open file that lasts until its last descriptor is closed, in any process.  It shows
 * whether the file has been open somewhere else all the time, so that its file system has stayed
 * mounted.  It blocks nobody.  False where the system has no such marks. */
void os_files_hold(int fd);
bool os_files_is_held(int fd);

/* A claim on an open file, which blocks nobody either: false while another open file of it has one.
 * It ends with the last descriptor, in any process, or when it is given up.  Always true where the
 * system has no such claims. */
bool os_files_claim(int fd);
void os_files_give_up_claim(int fd);

/* Allocates `len` bytes in an empty file, so that a full disk is noticed here.  0 or the errno. */
int os_files_reserve(int fd, off_t len);

/* Whether the Linux call works in this process now: 0, else the errno of a harmless try, ENOSYS
 * when the build does not use it. */
int os_files_try_open(int directory_fd);
int os_files_try_mark(int directory_fd);
int os_files_try_network(int fd);

#endif
