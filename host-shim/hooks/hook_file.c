/* hook_file.c - a settings file, replaced without losing anything else in it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file_text.h"

enum { LINKS_MAX = 40, SWAPS_MAX = 1000, ATTRIBUTES_MAX = 65536 };
static const size_t FILE_BYTES_MAX = 4 * 1024 * 1024;

static int fail(const char *file, const char *what, struct problem *problem) {
  return problem_set(problem, EXIT_CODE_FAILED, "%s: cannot be %s: %s", file, what,
                     strerror(errno));
}

int hook_file_resolve(char file[PATH_MAX], struct problem *problem) {
  char target[PATH_MAX], joined[PATH_MAX];

  for (int links = 0; links < LINKS_MAX; links++) {
    ssize_t len = readlink(file, target, sizeof target - 1);
    if (len < 0)
      return 0;
    target[len] = '\0';
    int folder = *target == '/' ? 0 : (int)(strrchr(file, '/') - file) + 1;
    if (snprintf(joined, sizeof joined, "%.*s%s", folder, file, target) >= PATH_MAX)
      return problem_set(problem, EXIT_CODE_FAILED, "%s: the link target is too long", file);
    strcpy(file, joined);
  }
  return problem_set(problem, EXIT_CODE_REFUSED, "%s: too many levels of links", file);
}

/* Only a file of root's with one name: a user who may write to the folder could have linked
 * somebody else's file there. */
void hook_file_adopt(const char *path) {
  char folder[PATH_MAX];
  struct stat above, entry;
  const char *slash = strrchr(path, '/');

  if (geteuid() != 0 || !slash)
    return;
  snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1, path);
  int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return;
  if (stat(folder, &above) == 0 && above.st_uid != 0 && fstat(fd, &entry) == 0 &&
      entry.st_uid == 0 && (S_ISDIR(entry.st_mode) || entry.st_nlink == 1))
    (void)!fchownat(fd, "", above.st_uid, above.st_gid, AT_EMPTY_PATH); /* else root keeps it */
  close(fd);
}

/* The file's text; NULL: it is missing, or cannot be read. */
static char *read_text(const char *file) {
  struct problem ignored;
  char *text = NULL;
  size_t len = 0;

  return file_text_read_regular(file, FILE_BYTES_MAX, &text, &len, &ignored) < 0 ? NULL : text;
}

static bool holds(const char *file, const char *wanted) {
  char *text = read_text(file);
  bool is_same = text && strcmp(text, wanted) == 0;

  free(text);
  return is_same;
}

/* Copies access lists, labels and other extended attributes, as far as that is permitted. */
static void copy_attributes(const char *from, int to) {
  static char names[ATTRIBUTES_MAX], value[ATTRIBUTES_MAX];
  ssize_t len = listxattr(from, names, sizeof names);

  for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
    ssize_t size = getxattr(from, names + at, value, sizeof value);

    if (size >= 0)
      (void)fsetxattr(to, names + at, value, (size_t)size, 0);
  }
}

static int write_all(int fd, const char *text) {
  size_t len = strlen(text);

  for (size_t done = 0; done < len;) {
    ssize_t wrote = pwrite(fd, text + done, len - done, (off_t)done);

    if (wrote < 0 && errno != EINTR)
      return -1;
    done += wrote > 0 ? (size_t)wrote : 0;
  }
  return ftruncate(fd, (off_t)len);
}

/* A file with other names, or one whose owner could not be set again, is written in place. */
static int write_in_place(const char *file, const char *before, const char *after,
                          struct problem *problem) {
  int fd = open(file, O_WRONLY | O_CLOEXEC);

  if (fd < 0)
    return fail(file, "written", problem);
  if (!holds(file, before)) {
    close(fd);
    return 1;
  }
  int result = write_all(fd, after);
  if (result < 0) {
    fail(file, "written", problem);
    (void)write_all(fd, before);
  }
  if (fdatasync(fd) < 0 && result == 0)
    result = fail(file, "written", problem);
  close(fd);
  return result;
}

/* Makes a new file beside it with the text `after` and all attributes of the old one.  0; 1: its
 * owner cannot be set; -1. */
static int prepare(const char *file, const struct stat *old, const char *after,
                   char temporary[PATH_MAX], struct problem *problem) {
  mode_t mask = umask(0);
  struct stat made;

  umask(mask);
  if (snprintf(temporary, PATH_MAX, "%s.XXXXXX", file) >= PATH_MAX)
    return problem_set(problem, EXIT_CODE_FAILED, "%s: the name is too long", file);
  int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0)
    return fail(file, "written", problem);
  int result =
      write_all(fd, after) < 0 || fstat(fd, &made) < 0 ? fail(file, "written", problem) : 0;
  if (result == 0 && old && (made.st_uid != old->st_uid || made.st_gid != old->st_gid) &&
      fchown(fd, old->st_uid, old->st_gid) < 0)
    result = 1;
  if (result == 0 && old)
    copy_attributes(file, fd);
  if (result == 0 &&
      (fchmod(fd, old ? old->st_mode & 07777 : 0666 & ~mask) < 0 || fdatasync(fd) < 0))
    result = fail(file, "written", problem);
  close(fd);
  if (result != 0)
    unlink(temporary);
  return result;
}

/* Exchanges the two files until the file that comes out is the one that was to be replaced: when
 * somebody edited it in between, the edit comes out and goes back in. */
static int swap(const char *file, const char *temporary, const char *before,
                struct problem *problem) {
  char *expected = strdup(before), *placed = read_text(temporary);
  bool is_ours = true;
  int result = -1;

  if (expected && placed && !holds(file, before)) { /* nobody should see ours even for a moment */
    free(expected);
    free(placed);
    unlink(temporary);
    return 1;
  }
  for (int swaps = 0; expected && placed && swaps < SWAPS_MAX; swaps++) {
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, file, RENAME_EXCHANGE) < 0)
      break;
    char *displaced = read_text(temporary);
    if (displaced && strcmp(displaced, expected) == 0) {
      free(displaced);
      result = is_ours ? 0 : 1;
      break;
    }
    free(expected);
    expected = placed;
    placed = displaced;
    is_ours = false;
  }
  if (result < 0 && is_ours && (errno == EINVAL || errno == ENOSYS)) /* the system cannot exchange
                                                                      * files */
    result = !holds(file, before) ? 1 : rename(temporary, file) == 0 ? 0 : -1;
  if (result < 0)
    fail(file, "written", problem);
  free(expected);
  free(placed);
  unlink(temporary);
  return result;
}

/* 1: the file exists by now. */
static int put_new(const char *file, const char *temporary, struct problem *problem) {
  int result = link(temporary, file) == 0 ? 0
               : errno == EEXIST          ? 1
                                          : fail(file, "written", problem);

  unlink(temporary);
  if (result == 0)
    hook_file_adopt(file);
  return result;
}

int hook_file_write(const char *file, const char *before, const char *after,
                    struct problem *problem) {
  char temporary[PATH_MAX];
  struct stat old;
  bool is_there = stat(file, &old) == 0;

  if (is_there != (before != NULL) || (before && !holds(file, before)))
    return 1;
  if (is_there && old.st_nlink > 1)
    return write_in_place(file, before, after, problem);
  int result = prepare(file, is_there ? &old : NULL, after, temporary, problem);
  if (result > 0)
    return write_in_place(file, before, after, problem);
  if (result < 0)
    return -1;
  return is_there ? swap(file, temporary, before, problem) : put_new(file, temporary, problem);
}

/* Moves the file away, reads it, and moves it back when it is not the one that was to be
 * removed. */
int hook_file_remove(const char *file, const char *before, struct problem *problem) {
  char aside[PATH_MAX];

  if (!holds(file, before))
    return 1;
  if (snprintf(aside, sizeof aside, "%s.%d.removed", file, (int)getpid()) >= PATH_MAX)
    return problem_set(problem, EXIT_CODE_FAILED, "%s: the name is too long", file);
  if (rename(file, aside) < 0)
    return errno == ENOENT ? 1 : fail(file, "removed", problem);
  if (holds(aside, before)) {
    unlink(aside);
    return 0;
  }
  if (link(aside, file) < 0 && errno != EEXIST) /* a newer file is there: it stays */
    return problem_set(problem, EXIT_CODE_FAILED,
                       "%s: changed in the meantime; its new version is %s", file, aside);
  unlink(aside);
  return 1;
}
