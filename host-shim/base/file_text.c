/* file_text.c - whole files in and out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/file_text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_stream(FILE *in, const char *name, size_t max, char **text, size_t *len,
                       struct problem *problem) {
  size_t room = 16384;
  size_t used = 0;
  char *bytes = malloc(room);
  for (;;) {
    if (!bytes)
      return problem_no_memory(problem);
    used += fread(bytes + used, 1, room - used - 1, in);
    if (used < room - 1)
      break;
    char *larger = room <= max ? realloc(bytes, room * 2) : NULL;
    if (!larger)
      break;
    bytes = larger;
    room *= 2;
  }
  if (ferror(in) || used > max || used == room - 1) {
    free(bytes);
    return ferror(in)
               ? problem_set(problem, EXIT_CODE_FAILED, "%s: cannot read: %s", name,
                             strerror(errno))
               : problem_set(problem, EXIT_CODE_FAILED, "%s: larger than %zu bytes", name, max);
  }
  bytes[used] = '\0';
  *text = bytes;
  *len = used;
  return 0;
}

static int read_file(const char *file, int flags, size_t max, char **text, size_t *len,
                     struct problem *problem) {
  struct stat entry = {.st_mode = 0};
  int fd = open(file, O_RDONLY | O_CLOEXEC | flags);
  FILE *in = fd >= 0 ? fdopen(fd, "r") : NULL;
  int result = 0;

  if (!in) {
    problem_set(problem, EXIT_CODE_FAILED, "%s: cannot open: %s", file, strerror(errno));
    if (fd >= 0)
      close(fd);
    return -1;
  }
  if (fstat(fd, &entry) == 0 && S_ISDIR(entry.st_mode))
    result = problem_set(problem, EXIT_CODE_FAILED, "%s: is a folder", file);
  else if (flags != 0 && !S_ISREG(entry.st_mode))
    result = problem_set(problem, EXIT_CODE_REFUSED, "%s: not a regular file", file);
  else
    result = read_stream(in, file, max, text, len, problem);
  fclose(in);
  return result;
}

int file_text_read(const char *file, size_t max, char **text, size_t *len,
                   struct problem *problem) {
  return strcmp(file, "-") == 0 ? read_stream(stdin, "standard input", max, text, len, problem)
                                : read_file(file, 0, max, text, len, problem);
}

int file_text_read_regular(const char *file, size_t max, char **text, size_t *len,
                           struct problem *problem) {
  return read_file(file, O_NONBLOCK | O_NOCTTY, max, text, len, problem);
}

char *file_text_skip_mark(char *text) {
  static const char mark[] = "\xEF\xBB\xBF";

  return strncmp(text, mark, sizeof mark - 1) == 0 ? text + sizeof mark - 1 : text;
}

static void make_folders(const char *file) {
  char path[PATH_MAX];

  snprintf(path, sizeof path, "%s", file);
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(path, 0700); /* a folder that is still missing is noticed when the file is made */
    *slash = '/';
  }
}

int file_text_write(int fd, const char *text, size_t len) {
  while (len > 0) {
    ssize_t done = write(fd, text, len);

    if (done < 0 && errno != EINTR)
      return -1;
    if (done > 0) {
      text += done;
      len -= (size_t)done;
    }
  }
  return 0;
}

int file_text_replace(const char *file, mode_t mode, const char *text, size_t len,
                      struct problem *problem) {
  char temporary[PATH_MAX];
  struct stat entry;
  if (stat(file, &entry) == 0 && !S_ISREG(entry.st_mode))
    return problem_set(problem, EXIT_CODE_FAILED, "%s: cannot write: not a regular file", file);
  make_folders(file);
  if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", file) >= sizeof temporary)
    return problem_set(problem, EXIT_CODE_FAILED, "%s: the name is too long", file);
  int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0)
    return problem_set(problem, EXIT_CODE_FAILED, "%s: cannot write: %s", file, strerror(errno));
  int failed = file_text_write(fd, text, len) < 0 || fchmod(fd, mode) < 0 || fdatasync(fd) < 0;
  failed = close(fd) < 0 || failed;
  if (failed || rename(temporary, file) < 0) {
    problem_set(problem, EXIT_CODE_FAILED, "%s: cannot write: %s", file, strerror(errno));
    unlink(temporary);
    return -1;
  }
  return 0;
}
