/* output_file.c - a file that the user names for output.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_text.h"

enum { LINKS_MAX = 40, TEMPORARIES_MAX = 100 };

/* The descriptor that a name such as /dev/stdout or /dev/fd/5 stands for, or -1.  A regular file
 * that was opened by such a name would be overwritten from its beginning. */
static int descriptor_of(const char *file) {
  static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};

  if (strcmp(file, "-") == 0 || strcmp(file, "/dev/stdout") == 0)
    return STDOUT_FILENO;
  if (strcmp(file, "/dev/stderr") == 0)
    return STDERR_FILENO;
  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
    size_t len = strlen(folders[i]);
    const char *number = file + len;

    if (strncmp(file, folders[i], len) == 0 && *number != '\0' && strlen(number) < 7 &&
        number[strspn(number, "0123456789")] == '\0')
      return atoi(number);
  }
  return -1;
}

/* Follows links until a name is not a link; that file need not exist.  realpath() requires it, and
 * resolves a descriptor's name to its file. */
static int follow_links(const char *file, char target[PATH_MAX]) {
  char text[PATH_MAX], next[2 * PATH_MAX];

  if ((size_t)snprintf(target, PATH_MAX, "%s", file) >= PATH_MAX)
    return errno = ENAMETOOLONG, -1;
  for (int links = 0; descriptor_of(target) < 0; links++) {
    ssize_t len = readlink(target, text, sizeof text - 1);
    if (len < 0)
      return 0;
    text[len] = '\0';
    const char *slash = strrchr(target, '/');
    int folder_len = slash && text[0] != '/' ? (int)(slash - target) + 1 : 0;
    snprintf(next, sizeof next, "%.*s%s", folder_len, target, text);
    if (strlen(next) >= PATH_MAX)
      return errno = ENAMETOOLONG, -1;
    if (links == LINKS_MAX)
      return errno = ELOOP, -1;
    strcpy(target, next);
  }
  return 0;
}

bool output_file_is_stdout(const char *file) {
  char target[PATH_MAX];

  return follow_links(file, target) == 0 && descriptor_of(target) == STDOUT_FILENO;
}

/* A new file beside the target.  Its name has another ending than the target's: a collector that
 * reads *.prom must not see it.  open() applies the umask, mkstemp() does not. */
static int open_temporary(const char *target, mode_t mode, char temporary[PATH_MAX]) {
  for (int i = 0; i < TEMPORARIES_MAX; i++) {
    if (snprintf(temporary, PATH_MAX, "%s.%ld-%d.new", target, (long)getpid(), i) >= PATH_MAX)
      return errno = ENAMETOOLONG, -1;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd >= 0 || errno != EEXIST)
      return fd;
  }
  return -1;
}

static int take_after(int fd, const struct stat *old) {
  struct stat own;

  if (fstat(fd, &own) < 0)
    return -1;
  if ((own.st_uid != old->st_uid || own.st_gid != old->st_gid) &&
      fchown(fd, old->st_uid, old->st_gid) < 0)
    return -1;
  return fchmod(fd, old->st_mode & 07777);
}

/* 1: it cannot be replaced, but perhaps written in place; nothing has changed. */
static int replace(const char *target, const struct stat *old, const char *text, size_t len) {
  char temporary[PATH_MAX];
  int fd = open_temporary(target, old ? 0600 : 0666, temporary);
  if (fd < 0)
    return old ? 1 : -1;
  if (old && take_after(fd, old) < 0) {
    close(fd);
    unlink(temporary);
    return 1;
  }
  int failed = file_text_write(fd, text, len) < 0 || fdatasync(fd) < 0;
  int error = errno;
  if (close(fd) < 0 && !failed) {
    failed = 1;
    error = errno;
  }
  if (!failed && rename(temporary, target) == 0)
    return 0;
  error = failed ? error : errno;
  unlink(temporary);
  errno = error;
  return !failed && old ? 1 : -1;
}

/* Opening it first shows whether the user may write it; a replacement would ignore that. */
static int write_existing(const char *target, const char *text, size_t len) {
  struct stat entry;
  int result = 1;
  int fd = open(target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return -1;
  if (fstat(fd, &entry) < 0)
    result = -1;
  else if (S_ISREG(entry.st_mode) && entry.st_nlink == 1)
    result = replace(target, &entry, text, len);
  if (result > 0)
    result = (S_ISREG(entry.st_mode) && ftruncate(fd, 0) < 0) || file_text_write(fd, text, len) < 0
                 ? -1
                 : 0;
  int error = errno;
  if (close(fd) < 0 && result == 0)
    return -1;
  errno = error;
  return result;
}

static int refuse(const char *file, const char *target, struct problem *problem) {
  char folder[PATH_MAX];
  const char *reason = strerror(errno);
  const char *slash = strrchr(target, '/');

  if (errno == ENOENT && slash) {
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - target), target);
    if (access(folder, F_OK) < 0)
      return problem_set(problem, EXIT_CODE_FAILED,
                         "%s: cannot write: no folder %s; create it first", file, folder);
  }
  return problem_set(problem, EXIT_CODE_FAILED, "%s: cannot write: %s", file, reason);
}

int output_file_write(const char *file, const char *text, size_t len, struct problem *problem) {
  char target[PATH_MAX] = "";
  struct stat entry;
  int result = follow_links(file, target);
  int fd = result == 0 ? descriptor_of(target) : -1;

  if (fd == STDOUT_FILENO) /* main() reports a failure */
    return fwrite(text, 1, len, stdout) == len ? 0 : refuse(file, target, problem);
  if (fd >= 0)
    result = file_text_write(fd, text, len);
  else if (result == 0)
    result = stat(target, &entry) == 0 ? write_existing(target, text, len)
                                       : replace(target, NULL, text, len);
  return result < 0 ? refuse(file, target, problem) : 0;
}
