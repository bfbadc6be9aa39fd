/* sandbox.h - a folder of a test's own, and short ways to put files into it and to look at them.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each Criterion test runs in a process of its own, so that one folder a process is enough. */
#ifndef KAIZEN_TESTS_SANDBOX_H
#define KAIZEN_TESTS_SANDBOX_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SANDBOX_HELPER __attribute__((unused)) static
#define SANDBOX_TEXTS 64

static struct {
  char root[256];
  pid_t owner; /* a forked child leaves the folder alone */
  char *texts[SANDBOX_TEXTS];
  unsigned text_count;
} sandbox;

SANDBOX_HELPER int sandbox_remove_entry(const char *path, const struct stat *status, int type,
                                        struct FTW *position) {
  (void)status;
  (void)type;
  (void)position;
  return remove(path);
}

SANDBOX_HELPER void sandbox_leave(void) {
  while (sandbox.text_count > 0)
    free(sandbox.texts[--sandbox.text_count]);
  if (sandbox.root[0] != '\0' && sandbox.owner == getpid())
    (void)nftw(sandbox.root, sandbox_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

SANDBOX_HELPER void sandbox_enter(void) {
  const char *above = getenv("TMPDIR");

  (void)snprintf(sandbox.root, sizeof sandbox.root, "%s/kaizen-XXXXXX", above ? above : "/tmp");
  cr_assert(mkdtemp(sandbox.root), "mkdtemp %s: %s", sandbox.root, strerror(errno));
  sandbox.owner = getpid();
}

/* A path below the folder; the text lives until eight more have been made. */
__attribute__((format(printf, 1, 2))) SANDBOX_HELPER const char *in_sandbox(const char *format,
                                                                            ...) {
  static char paths[8][512];
  static unsigned next;
  char *path = paths[next++ % 8];
  int len = snprintf(path, sizeof paths[0], "%s/", sandbox.root);
  va_list arguments;

  va_start(arguments, format);
  (void)vsnprintf(path + len, sizeof paths[0] - (size_t)len, format, arguments);
  va_end(arguments);
  return path;
}

/* A file of an agent: its log, say, is agent_file("coach", "executions.jsonl"). */
SANDBOX_HELPER const char *agent_file(const char *agent, const char *name) {
  return in_sandbox(".kaizen/metrics/%s/%s", agent, name);
}

SANDBOX_HELPER void make_folders(const char *path) {
  char copy[512];
  char *slash = copy + strlen(sandbox.root) + 1;

  (void)snprintf(copy, sizeof copy, "%s/", path);
  while ((slash = strchr(slash, '/')) != NULL) {
    *slash = '\0';
    cr_assert(mkdir(copy, 0700) == 0 || errno == EEXIST, "mkdir %s: %s", copy, strerror(errno));
    *slash++ = '/';
  }
}

SANDBOX_HELPER void make_agent_folder(const char *agent) {
  make_folders(in_sandbox(".kaizen/metrics/%s", agent));
}

SANDBOX_HELPER void put_bytes(const char *path, int flags, const void *bytes, size_t len) {
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

  cr_assert_geq(fd, 0, "open %s: %s", path, strerror(errno));
  cr_assert_eq(write(fd, bytes, len), (ssize_t)len, "write %s: %s", path, strerror(errno));
  cr_assert_eq(close(fd), 0);
}

SANDBOX_HELPER void put_file(const char *path, const char *text) {
  put_bytes(path, O_TRUNC, text, strlen(text));
}

/* As a program appends that takes no lock of ours: one write(2). */
SANDBOX_HELPER void append_to_file(const char *path, const char *text) {
  put_bytes(path, O_APPEND, text, strlen(text));
}

SANDBOX_HELPER bool is_there(const char *path) {
  struct stat status;

  return lstat(path, &status) == 0;
}

/* Is it known when the file was made?  Retention counts from there. */
SANDBOX_HELPER bool tells_birth(const char *path) {
#if KAIZEN_LINUX_CALLS
  struct statx status;

  return statx(AT_FDCWD, path, 0, STATX_BTIME, &status) == 0 && (status.stx_mask & STATX_BTIME);
#else
  (void)path;
  return false;
#endif
}

SANDBOX_HELPER uint64_t size_of_file(const char *path) {
  struct stat status;

  cr_assert_eq(stat(path, &status), 0, "stat %s: %s", path, strerror(errno));
  return (uint64_t)status.st_size;
}

/* Room for a text and its NUL, freed at the end of the test. */
SANDBOX_HELPER char *room_for_text(size_t len) {
  char *text = malloc(len + 1);

  cr_assert(text);
  cr_assert_lt(sandbox.text_count, SANDBOX_TEXTS);
  sandbox.texts[sandbox.text_count++] = text;
  text[len] = '\0';
  return text;
}

/* A line of so many bytes, its newline included, that no reader takes for a record. */
SANDBOX_HELPER char *line_of_length(size_t len) {
  char *line = room_for_text(len);

  for (size_t i = 0; i < len; i++)
    line[i] = (char)('a' + i % 26);
  line[len - 1] = '\n';
  return line;
}

/* The whole file with a NUL after it, freed at the end of the test; *len may be NULL. */
SANDBOX_HELPER char *bytes_of_file(const char *path, size_t *len) {
  size_t size = (size_t)size_of_file(path), done = 0;
  char *bytes = room_for_text(size);
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  cr_assert_geq(fd, 0, "open %s: %s", path, strerror(errno));
  while (done < size) {
    ssize_t got = read(fd, bytes + done, size - done);

    cr_assert_gt(got, 0, "read %s", path);
    done += (size_t)got;
  }
  (void)close(fd);
  if (len)
    *len = size;
  return bytes;
}

SANDBOX_HELPER char *text_of_file(const char *path) {
  return bytes_of_file(path, NULL);
}

SANDBOX_HELPER size_t count_in(const char *text, const char *part) {
  size_t count = 0;

  for (; (text = strstr(text, part)) != NULL; text += strlen(part))
    count++;
  return count;
}

SANDBOX_HELPER size_t lines_of_file(const char *path) {
  return count_in(text_of_file(path), "\n");
}

/* Leaves `free` descriptors to this process; SIZE_MAX: as many as it may have. */
SANDBOX_HELPER void limit_descriptors(size_t free_count) {
  struct rlimit limit;

  cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = free_count == SIZE_MAX ? limit.rlim_max : 0;
  for (; free_count > 0 && free_count < SIZE_MAX; limit.rlim_cur++)
    free_count -= fcntl((int)limit.rlim_cur, F_GETFD) < 0;
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0, "%s", strerror(errno));
}

SANDBOX_HELPER unsigned open_descriptors(void) {
  DIR *folder = opendir("/proc/self/fd");
  unsigned count = 0;

  cr_assert(folder);
  while (readdir(folder))
    count++;
  (void)closedir(folder);
  return count - 3; /* ".", ".." and the folder's own */
}

#endif
