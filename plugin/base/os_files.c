/* os_files.c - what files need of the operating system beyond POSIX, with a POSIX replacement for
 * each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/os_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if KAIZEN_LINUX_CALLS
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#endif

/* Opening breaks another program's lease on the file; that program may take a minute to give it
 * up. */
#define OPEN_TRIES 16
#define NS_PER_S INT64_C(1000000000)

#if KAIZEN_LINUX_CALLS
/* A folder along the path needs no read permission. */
#define PASS_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)
#else
#define PASS_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#endif

/* ---- opening --------------------------------------------------------------------------------- */

/* One component; for a link errno is ELOOP, also where a folder was asked for. */
static int open_component(int at, const char *name, int flags, mode_t mode) {
  struct stat status;
  int fd = openat(at, name, flags | O_NOFOLLOW, mode);

  if (fd >= 0 || errno != ENOTDIR)
    return fd;
  if (fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode))
    errno = ELOOP;
  else
    errno = ENOTDIR;
  return -1;
}

/* Opens each folder of the path in turn, none of them a link: *at is the last one, to be closed
 * unless it is the caller's own; `name` gets the last component. */
static int walk(int directory_fd, const char *path, int *at, char name[NAME_MAX + 1]) {
  *at = directory_fd;
  for (;;) {
    const char *slash = strchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : strlen(path);
    int fd = -1, saved_errno;

    if (len == 0 || len > NAME_MAX) {
      errno = len ? ENAMETOOLONG : slash ? EXDEV : ENOENT; /* "/..." leads elsewhere */
    } else {
      memcpy(name, path, len);
      name[len] = '\0';
      if (strcmp(name, "..") == 0)
        errno = EXDEV;
      else if (!slash)
        return 0;
      else
        fd = open_component(*at, name, PASS_FLAGS, 0);
    }
    saved_errno = errno;
    if (*at != directory_fd)
      (void)close(*at);
    errno = saved_errno;
    if (fd < 0)
      return -1;
    *at = fd;
    path = slash + 1;
  }
}

static int open_by_component(int directory_fd, const char *path, int flags, mode_t mode) {
  char name[NAME_MAX + 1];
  int at, fd, saved_errno;

  if (walk(directory_fd, path, &at, name) != 0)
    return -1;
  fd = open_component(at, name, flags, mode);
  saved_errno = errno;
  if (at != directory_fd)
    (void)close(at);
  errno = saved_errno;
  return fd;
}

static int look_by_component(int directory_fd, const char *path, struct stat *status) {
  char name[NAME_MAX + 1];
  int at, result, saved_errno;

  if (walk(directory_fd, path, &at, name) != 0)
    return -1;
  result = fstatat(at, name, status, AT_SYMLINK_NOFOLLOW);
  saved_errno = errno;
  if (at != directory_fd)
    (void)close(at);
  errno = saved_errno;
  if (result == 0 && S_ISLNK(status->st_mode)) {
    errno = ELOOP;
    return -1;
  }
  return result;
}

/* The call itself; ENOSYS where the build does not use it. */
static int call_openat2(int directory_fd, const char *path, int flags, mode_t mode) {
#if KAIZEN_LINUX_CALLS
  struct open_how how = {
      .flags = (uint64_t)(unsigned)flags,
      .mode = (flags & O_CREAT) ? mode : 0,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  };
  int fd, tries = 0;

  /* EXDEV also when the file was moved out of the folder between look-up and the kernel's check */
  do
    fd = (int)syscall(SYS_openat2, directory_fd, path, &how, sizeof how);
  while (fd < 0 && (errno == EINTR || errno == EAGAIN || errno == EXDEV) && ++tries < OPEN_TRIES);
  return fd;
#else
  (void)directory_fd, (void)path, (void)flags, (void)mode;
  errno = ENOSYS;
  return -1;
#endif
}

/* A sandbox refuses a call with one of these.  EACCES and EPERM may also be about the file itself;
 * the POSIX way then fails in the same way. */
static bool is_refused(int os_error) {
  return os_error == ENOSYS || os_error == EPERM || os_error == EACCES;
}

void os_files_take_standard(struct os_files_taken *taken) {
  struct pollfd standard[3] = {{.fd = 0}, {.fd = 1}, {.fd = 2}};
  int saved_errno = errno, fd = -1;

  taken->count = 0;
  if (poll(standard, 3, 0) == 0) { /* poll() reports a closed one as POLLNVAL */
    errno = saved_errno;
    return;
  }
  while (taken->count < 3 && (fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) >= 0 && fd <= 2)
    taken->fds[taken->count++] = fd;
  if (fd > 2)
    (void)close(fd);
  errno = saved_errno;
}

void os_files_give_back(struct os_files_taken *taken) {
  int saved_errno = errno;

  while (taken->count > 0)
    (void)close(taken->fds[--taken->count]);
  errno = saved_errno;
}

int os_files_openat(int directory_fd, const char *name, int flags, mode_t mode) {
  struct os_files_taken taken;
  int fd;

  os_files_take_standard(&taken);
  fd = openat(directory_fd, name, flags | O_CLOEXEC, mode);
  os_files_give_back(&taken);
  return fd;
}

int os_files_make(int directory_fd, const char *name, mode_t mode) {
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  int fd = openat(directory_fd, name, flags | O_CLOEXEC, mode);

  if (fd < 0 || fd > 2)
    return fd;
  /* what the host prints may be in this file already, so that another one is made */
  (void)close(fd);
  if (unlinkat(directory_fd, name, 0) != 0)
    return -1;
  return os_files_openat(directory_fd, name, flags, mode);
}

static int open_anywhere(int directory_fd, const char *path, int flags, mode_t mode) {
  int fd = call_openat2(directory_fd, path, flags, mode);
  int tries = 0;

  if (fd >= 0 || !is_refused(errno))
    return fd;
  do
    fd = open_by_component(directory_fd, path, flags, mode);
  while (fd < 0 && errno == EINTR && ++tries < OPEN_TRIES);
  return fd;
}

int os_files_open(int directory_fd, const char *path, int flags, mode_t mode) {
  struct os_files_taken taken;
  int fd;

  os_files_take_standard(&taken);
  fd = open_anywhere(directory_fd, path, flags | O_CLOEXEC | O_NOCTTY, mode);
  os_files_give_back(&taken);
  return fd;
}

int os_files_look(int directory_fd, const char *path, struct stat *status) {
#if KAIZEN_LINUX_CALLS
  int fd = call_openat2(directory_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);

  if (fd >= 0) {
    int result = fstat(fd, status), saved_errno = errno;

    (void)close(fd);
    errno = saved_errno;
    return result;
  }
  if (!is_refused(errno))
    return -1;
#endif
  return look_by_component(directory_fd, path, status);
}

int os_files_try_open(int directory_fd) {
  int fd = call_openat2(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

  if (fd < 0)
    return errno;
  (void)close(fd);
  return 0;
}

/* ---- names, marks and kinds of file systems -------------------------------------------------- */

int os_files_exchange(int directory_fd, const char *one, const char *other) {
#if KAIZEN_LINUX_CALLS
  return renameat2(directory_fd, one, directory_fd, other, RENAME_EXCHANGE);
#else
  (void)directory_fd, (void)one, (void)other;
  errno = ENOSYS;
  return -1;
#endif
}

static int call_statx(int fd, struct os_files_mark *mark) {
#if KAIZEN_LINUX_CALLS
  struct statx status;

  if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &status) != 0)
    return -1;
  mark->inode = status.stx_ino;
  mark->birth_ns = (status.stx_mask & STATX_BTIME)
                       ? (int64_t)status.stx_btime.tv_sec * NS_PER_S + status.stx_btime.tv_nsec
                       : 0;
  return 0;
#else
  (void)fd, (void)mark;
  errno = ENOSYS;
  return -1;
#endif
}

int os_files_mark(int fd, struct os_files_mark *mark) {
  struct stat status;

  if (call_statx(fd, mark) == 0)
    return 0;
  if (!is_refused(errno) || fstat(fd, &status) != 0)
    return -1;
  *mark = (struct os_files_mark){.inode = status.st_ino};
  return 0;
}

int os_files_try_mark(int directory_fd) {
  struct os_files_mark mark;

  if (call_statx(directory_fd, &mark) != 0)
    return errno;
  return mark.birth_ns != 0 ? 0 : EOPNOTSUPP; /* by the file system, or by the C library in its
                                               * place */
}

int os_files_network(int fd, const char **name) {
#if KAIZEN_LINUX_CALLS
  /* File systems where flock, O_APPEND or rename do not hold among machines
   * (docs/operations.md). */
  static const struct {
    uint32_t magic;
    const char *name;
  } network[] = {
      {NFS_SUPER_MAGIC, "NFS"}, {SMB_SUPER_MAGIC, "SMB"}, {0xFF534D42u, "CIFS"},
      {0xFE534D42u, "SMB2"},    {V9FS_MAGIC, "9p"},       {FUSE_SUPER_MAGIC, "FUSE"},
      {0x00C36400u, "Ceph"},    {AFS_SUPER_MAGIC, "AFS"}, {CODA_SUPER_MAGIC, "Coda"},
      {0x0BD00BD0u, "Lustre"},
  };
  struct statfs status;

  *name = NULL;
  if (fstatfs(fd, &status) != 0)
    return -1;
  for (size_t i = 0; i < sizeof network / sizeof *network; i++)
    if ((uint32_t)status.f_type == network[i].magic)
      *name = network[i].name;
#else
  (void)fd;
  *name = NULL;
#endif
  return 0;
}

int os_files_try_network(int fd) {
#if KAIZEN_LINUX_CALLS
  const char *ignored;

  return os_files_network(fd, &ignored) == 0 ? 0 : errno;
#else
  (void)fd;
  return ENOSYS;
#endif
}

/* ---- who has a file open --------------------------------------------------------------------- */

/* A lock of the open file, not of the process: another close() of the same file does not drop it.
 * 0 or an errno. */
static int set_lock(int fd, short type) {
#if KAIZEN_LINUX_CALLS
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

  return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
#else
  (void)fd;
  (void)type;
  return ENOSYS;
#endif
}

void os_files_hold(int fd) {
  (void)set_lock(fd, F_RDLCK);
}

bool os_files_is_held(int fd) {
#if KAIZEN_LINUX_CALLS
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
#else
  (void)fd;
  return false;
#endif
}

bool os_files_claim(int fd) {
  int failed = set_lock(fd, F_WRLCK);

  return failed != EAGAIN && failed != EACCES;
}

void os_files_give_up_claim(int fd) {
  (void)set_lock(fd, F_UNLCK);
}

/* ---- room ------------------------------------------------------------------------------------ */

static int write_zeros(int fd, off_t len) {
  static const char zeros[4096];
  off_t at = 0;

  while (at < len) {
    size_t piece = len - at < (off_t)sizeof zeros ? (size_t)(len - at) : sizeof zeros;
    ssize_t n = pwrite(fd, zeros, piece, at);

    if (n == 0)
      return ENOSPC;
    if (n < 0 && errno != EINTR)
      return errno;
    at += n > 0 ? n : 0;
  }
  return 0;
}

int os_files_reserve(int fd, off_t len) {
#if KAIZEN_LINUX_CALLS
  int failed;

  do
    failed = posix_fallocate(fd, 0, len);
  while (failed == EINTR);
  if (!is_refused(failed))
    return failed;
#endif
  return write_zeros(fd, len);
}
