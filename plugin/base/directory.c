/* directory.c - files and folders below a directory descriptor, without following links.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os_files.h"

#define FILE_MODE 0600
#define FOLDER_MODE 0700
#define SHARED_FILE_MODE 0660
#define SHARED_FOLDER_MODE 02770

static int refuse_open(const char *path, struct error *error) {
  int os_error = errno;

  if (os_error == ENOENT)
    return 1;
  if (os_error == ELOOP)
    return error_set(error, ERROR_IO,
                     "%s: a symbolic link, but only regular files and folders are used; remove it",
                     path);
  return error_set_errno(error, ERROR_IO, os_error, "%s: cannot open", path);
}

static int refuse_owner(const char *path, uid_t owner, struct error *error) {
  return error_set(
      error, ERROR_IO,
      "%s: belongs to user %ld, this process runs as %ld; run as its owner or change the owner",
      path, (long)owner, (long)geteuid());
}

bool directory_is_shared(const struct stat *folder) {
  const mode_t shared = S_ISGID | S_IRGRP | S_IWGRP | S_IXGRP;

  return S_ISDIR(folder->st_mode) && (folder->st_mode & shared) == shared;
}

/* *status of the folder that `path` is in. */
static int look_at_parent(int directory_fd, const char *path, struct stat *status) {
  char parent[256];
  const char *slash = strrchr(path, '/');

  if (!slash)
    return fstat(directory_fd, status);
  if ((size_t)(slash - path) >= sizeof parent)
    return -1;
  memcpy(parent, path, (size_t)(slash - path));
  parent[slash - path] = '\0';
  return os_files_look(directory_fd, parent, status);
}

/* A file with the group of the shared folder it is in. */
static bool is_shared_file(int directory_fd, const char *path, const struct stat *status) {
  struct stat folder;

  return look_at_parent(directory_fd, path, &folder) == 0 && directory_is_shared(&folder) &&
         folder.st_gid == status->st_gid;
}

/* A reader of another user's project accepts files of the owner of the folder it starts from, and
 * of no third user; in a shared folder every member of its group counts as an owner. */
static int check_owner(int directory_fd, const char *path, const struct stat *status, bool writes,
                       struct error *error) {
  struct stat folder;

  if (status->st_uid == geteuid())
    return 0;
  if (!writes && fstat(directory_fd, &folder) == 0 && folder.st_uid == status->st_uid)
    return 0;
  if (S_ISDIR(status->st_mode) ? directory_is_shared(status)
                               : is_shared_file(directory_fd, path, status))
    return 0;
  return refuse_owner(path, status->st_uid, error);
}

/* What may be used: a regular file with one name. */
static int check_file(int directory_fd, const char *path, const struct stat *status, bool writes,
                      struct error *error) {
  if (!S_ISREG(status->st_mode))
    return error_set(error, ERROR_IO, "%s: not a regular file; remove it", path);
  if (check_owner(directory_fd, path, status, writes, error) != 0)
    return -1;
  if (status->st_nlink > 1)
    return error_set(error, ERROR_IO, "%s: has %lu hard links; remove all but one", path,
                     (unsigned long)status->st_nlink);
  return 0;
}

/* A file that we make in a shared folder is open to its group, whatever the umask is. */
static int share_file(int directory_fd, const char *path, const struct stat *status, int fd,
                      struct error *error) {
  if (status->st_uid != geteuid() || (status->st_mode & SHARED_FILE_MODE) == SHARED_FILE_MODE ||
      !is_shared_file(directory_fd, path, status) || fchmod(fd, SHARED_FILE_MODE) == 0)
    return 0;
  return error_set_errno(error, ERROR_IO, errno, "%s: cannot be made accessible to its group",
                         path);
}

/* Another user may have made the file in a shared folder a moment ago, and not yet opened it to the
 * group: try again while the file is that new. */
static int open_patiently(int directory_fd, const char *path, int flags) {
  enum { TRIES = 400, PAUSE_NS = 5000000, YOUNG_S = 2 };
  struct stat status;
  int fd, os_error;

  for (int i = 0; (fd = os_files_open(directory_fd, path, flags, FILE_MODE)) < 0; i++) {
    os_error = errno;
    if (os_error != EACCES || i == TRIES || os_files_look(directory_fd, path, &status) != 0 ||
        clock_wall_ns() / 1000000000 > status.st_ctim.tv_sec + YOUNG_S ||
        !is_shared_file(directory_fd, path, &status)) {
      errno = os_error;
      break;
    }
    clock_pause_ns(PAUSE_NS);
  }
  return fd;
}

int directory_open_file(int directory_fd, const char *path, int open_flags, int *fd,
                        struct error *error) {
  struct stat status;
  int opened = open_patiently(directory_fd, path, open_flags | O_NONBLOCK);
  bool writes = (open_flags & O_ACCMODE) != O_RDONLY || open_flags & O_CREAT;
  int result;

  *fd = -1;
  if (opened < 0 && (errno == ENXIO || errno == ENODEV))
    return error_set(error, ERROR_IO, "%s: not a regular file; remove it", path);
  if (opened < 0)
    return refuse_open(path, error);
  result = fstat(opened, &status) != 0 ? error_set_errno(error, ERROR_IO, errno, "%s: fstat", path)
                                       : check_file(directory_fd, path, &status, writes, error);
  if (result == 0 && open_flags & O_CREAT)
    result = share_file(directory_fd, path, &status, opened, error);
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
    return error_set_errno(error, ERROR_IO, errno, "%s: cannot create the folder", name);
  return open_folder(directory_fd, name, true, fd, error);
}

static int share_entry(int folder_fd, const char *name, gid_t group) {
  struct stat status;

  if (fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode) ||
      status.st_uid != geteuid())
    return 0;
  if (status.st_gid != group && fchownat(folder_fd, name, (uid_t)-1, group, 0) != 0)
    return -1;
  return fchmodat(folder_fd, name, SHARED_FILE_MODE, 0);
}

/* While the folder is still ours alone: nobody can put a link in a file's place. */
static int share_entries(int folder_fd, gid_t group) {
  int fd = os_files_openat(folder_fd, ".", O_RDONLY | O_DIRECTORY, 0);
  DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
  int result = folder ? 0 : -1;
  struct dirent *entry;

  if (!folder && fd >= 0)
    (void)close(fd);
  while (result == 0 && (entry = readdir(folder)) != NULL)
    result = share_entry(folder_fd, entry->d_name, group);
  if (folder)
    (void)closedir(folder);
  return result;
}

int directory_share_folder(int parent_fd, const char *name, int fd, struct error *error) {
  struct stat parent, status;

  if (fstat(parent_fd, &parent) != 0 || fstat(fd, &status) != 0)
    return error_set_errno(error, ERROR_IO, errno, "%s: fstat", name);
  if (directory_is_shared(&status) || status.st_uid != geteuid())
    return 0;
  if (parent.st_gid != status.st_gid && fchown(fd, (uid_t)-1, parent.st_gid) != 0)
    return error_set_errno(error, ERROR_IO, errno, "%s: cannot be given to group %ld", name,
                           (long)parent.st_gid);
  if (share_entries(fd, parent.st_gid) == 0 && fchmod(fd, SHARED_FOLDER_MODE) == 0)
    return 0;
  return error_set_errno(error, ERROR_IO, errno, "%s: cannot be made accessible to its group",
                         name);
}

bool directory_is_file(int fd, dev_t device, ino_t inode) {
  struct stat held;

  if (fstat(fd, &held) != 0)
    return errno != EBADF; /* what else fails does not say so */
  return held.st_ino == inode && held.st_dev == device;
}

int directory_replace_file(int directory_fd, const char *from, const char *to,
                           struct error *error) {
  if (os_files_exchange(directory_fd, from, to) == 0) {
    /* `from` is the old file now; one that stays is overwritten by the next replacement */
    if (unlinkat(directory_fd, from, 0) == 0 || errno != EISDIR)
      return 0;
    /* a folder was there, and would prevent every later replacement: it goes back */
    (void)os_files_exchange(directory_fd, from, to);
    errno = EISDIR;
  } else if (renameat(directory_fd, from, directory_fd, to) == 0) {
    return 0;
  }
  if (errno == EISDIR)
    return error_set(error, ERROR_IO, "%s: is a folder; remove it", to);
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
