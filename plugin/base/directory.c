/* directory.c - files and folders below a directory descriptor, without following links.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os_files.h"

#define FILE_MODE 0600
#define FOLDER_MODE 0700

static int refuse_open(const char *path, struct error *error) {
  int os_error = errno;

  if (os_error == ENOENT)
    return 1;
  if (os_error == ELOOP)
    return error_set(error, ERROR_IO,
                     "%s: a symbolic link; only regular files and folders are used here, "
                     "remove it",
                     path);
  return error_set_errno(error, ERROR_IO, os_error, "%s: cannot open", path);
}

static int refuse_owner(const char *path, uid_t owner, struct error *error) {
  return error_set(error, ERROR_IO,
                   "%s: belongs to user %ld, this process runs as %ld; run as its owner or "
                   "give it to this user",
                   path, (long)owner, (long)geteuid());
}

/* A reader of another user's project takes what belongs to the owner of the folder it starts
 * from, and nothing of a third one's. */
static int check_owner(int directory_fd, const char *path, const struct stat *status, bool writes,
                       struct error *error) {
  struct stat folder;

  if (status->st_uid == geteuid())
    return 0;
  if (!writes && fstat(directory_fd, &folder) == 0 && folder.st_uid == status->st_uid)
    return 0;
  return refuse_owner(path, status->st_uid, error);
}

/* What may be used: a regular file with one name. */
static int check_file(int directory_fd, const char *path, const struct stat *status, bool writes,
                      struct error *error) {
  if (!S_ISREG(status->st_mode))
    return error_set(error, ERROR_IO, "%s: no regular file; remove it", path);
  if (check_owner(directory_fd, path, status, writes, error) != 0)
    return -1;
  if (status->st_nlink > 1)
    return error_set(error, ERROR_IO, "%s: has %lu hard links, one is allowed; remove the others",
                     path, (unsigned long)status->st_nlink);
  return 0;
}

int directory_open_file(int directory_fd, const char *path, int open_flags, int *fd,
                        struct error *error) {
  struct stat status;
  int opened = os_files_open(directory_fd, path, open_flags | O_NONBLOCK, FILE_MODE);
  bool writes = (open_flags & O_ACCMODE) != O_RDONLY || open_flags & O_CREAT;
  int result;

  *fd = -1;
  if (opened < 0 && (errno == ENXIO || errno == ENODEV))
    return error_set(error, ERROR_IO, "%s: no regular file; remove it", path);
  if (opened < 0)
    return refuse_open(path, error);
  result = fstat(opened, &status) != 0 ? error_set_errno(error, ERROR_IO, errno, "%s: fstat", path)
                                       : check_file(directory_fd, path, &status, writes, error);
  if (result != 0) {
    (void)close(opened);
    return result;
  }
  *fd = opened;
  return 0;
}

int directory_look_at_file(int directory_fd, const char *path, struct stat *status,
                           struct error *error) {
  if (os_files_look(directory_fd, path, status) != 0)
    return refuse_open(path, error);
  return check_file(directory_fd, path, status, false, error);
}

static int open_folder(int directory_fd, const char *path, bool writes, int *fd,
                       struct error *error) {
  struct stat status;
  int opened = os_files_open(directory_fd, path, O_RDONLY | O_DIRECTORY, 0);
  int result = 0;

  *fd = -1;
  if (opened < 0)
    return refuse_open(path, error);
  if (fstat(opened, &status) != 0)
    result = error_set_errno(error, ERROR_IO, errno, "%s: fstat", path);
  else
    result = check_owner(directory_fd, path, &status, writes, error);
  if (result != 0) {
    (void)close(opened);
    return result;
  }
  *fd = opened;
  return 0;
}

int directory_open_folder(int directory_fd, const char *path, int *fd, struct error *error) {
  return open_folder(directory_fd, path, false, fd, error);
}

int directory_make_folder(int directory_fd, const char *name, bool *made, int *fd,
                          struct error *error) {
  *made = false;
  *fd = -1;
  if (mkdirat(directory_fd, name, FOLDER_MODE) == 0)
    *made = true;
  else if (errno != EEXIST)
    return error_set_errno(error, ERROR_IO, errno, "%s: cannot make the folder", name);
  return open_folder(directory_fd, name, true, fd, error);
}

int directory_replace_file(int directory_fd, const char *from, const char *to,
                           struct error *error) {
  if (os_files_exchange(directory_fd, from, to) == 0) {
    /* `from` is the old file now; one that stays is overwritten by the next replacement */
    if (unlinkat(directory_fd, from, 0) == 0 || errno != EISDIR)
      return 0;
    /* a folder was there, and would be in the way of every later replacement: it goes back */
    (void)os_files_exchange(directory_fd, from, to);
    return error_set(error, ERROR_IO, "%s: a folder is in its place; remove it", to);
  }
  if (renameat(directory_fd, from, directory_fd, to) == 0)
    return 0;
  return error_set_errno(error, ERROR_IO, errno, "%s: cannot replace", to);
}

int directory_read_at(int fd, void *bytes, size_t len, uint64_t offset, size_t *got,
                      struct error *error) {
  size_t done = 0;

  while (done < len) {
    ssize_t n = pread(fd, (char *)bytes + done, len - done, (off_t)(offset + done));

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return error_set_errno(error, ERROR_IO, errno, "read at %llu", (unsigned long long)offset);
    if (n == 0)
      break;
    done += (size_t)n;
  }
  *got = done;
  return 0;
}

int directory_write_at(int fd, const void *bytes, size_t len, uint64_t offset,
                       struct error *error) {
  size_t done = 0;

  while (done < len) {
    ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, (off_t)(offset + done));

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return error_set_errno(error, ERROR_IO, errno, "write at %llu", (unsigned long long)offset);
    if (n == 0)
      return error_set_errno(error, ERROR_IO, ENOSPC, "write at %llu", (unsigned long long)offset);
    done += (size_t)n;
  }
  return 0;
}
