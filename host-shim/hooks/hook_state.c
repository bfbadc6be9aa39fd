/* hook_state.c - the folder in which hooks remember things between calls.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hooks/hook_file.h"

enum {
  FILES_MAX = 1024, /* sessions remembered; when there are more, those of yesterday are removed */
  CLEAN_INTERVAL_S = 3600,
  DAY_S = 86400,
  AGE_MAX_S = 30 * DAY_S,
  YEAR_S = 365 * DAY_S
};
static const time_t CENTURY_S = (time_t)100 * 365 * 86400;

int hook_state_path(const char *given, char path[PATH_MAX], struct problem *problem) {
  const char *xdg = secure_getenv("XDG_STATE_HOME");
  const char *home = secure_getenv("HOME");
  int len = 0;

  if (given)
    len = snprintf(path, PATH_MAX, "%s", given);
  else if (xdg && *xdg == '/')
    len = snprintf(path, PATH_MAX, "%s/kaizen-host", xdg);
  else if (home && *home == '/')
    len = snprintf(path, PATH_MAX, "%s/.local/state/kaizen-host", home);
  else
    return problem_set(problem, EXIT_CODE_FAILED,
                       "no home folder for state; name a folder with --state-dir");
  if (len <= 0 || len >= PATH_MAX)
    return problem_set(problem, EXIT_CODE_FAILED, "--state-dir: the name is empty or too long");
  return 0;
}

static void make_folders(const char *path) {
  char part[PATH_MAX];

  snprintf(part, sizeof part, "%s", path);
  for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(part, 0700) == 0)
      hook_file_adopt(part);
    *slash = '/';
  }
  if (mkdir(part, 0700) == 0) /* a folder that is still missing is noticed when it is opened */
    hook_file_adopt(part);
}

static int fill_random(uint8_t *bytes, size_t len) {
  return getrandom(bytes, len, 0) == (ssize_t)len ? 0 : -1;
}

/* The first of several processes that start together makes the key: link() makes it appear complete
 * or not at all. */
static int make_key(const struct hook_state *state) {
  uint8_t key[HOOK_FINGERPRINT_KEY_BYTES];
  char name[32], path[PATH_MAX];
  uint32_t number = 0;

  if (fill_random(key, sizeof key) < 0 || fill_random((uint8_t *)&number, sizeof number) < 0)
    return -1;
  snprintf(name, sizeof name, "key.%08x", number);
  int fd = openat(state->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return -1;
  int result = write(fd, key, sizeof key) == (ssize_t)sizeof key ? 0 : -1;
  close(fd);
  if (result == 0 && linkat(state->folder, name, state->folder, "key", 0) < 0 && errno != EEXIST)
    result = -1;
  unlinkat(state->folder, name, 0);
  snprintf(path, sizeof path, "%.*s/key", PATH_MAX - 8, state->path);
  hook_file_adopt(path);
  return result;
}

static int read_key(struct hook_state *state) {
  int fd = openat(state->folder, "key", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

  if (fd < 0)
    return -1;
  ssize_t got = read(fd, state->key, sizeof state->key);
  close(fd);
  if (got != (ssize_t)sizeof state->key)
    unlinkat(state->folder, "key", 0); /* damaged: the next call makes a new one */
  return got == (ssize_t)sizeof state->key ? 0 : -1;
}

int hook_state_open(const char *given, bool make, struct hook_state *state,
                    struct problem *problem) {
  state->folder = -1;
  if (hook_state_path(given, state->path, problem) < 0)
    return -1;
  if (make)
    make_folders(state->path);
  state->folder = open(state->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (state->folder < 0)
    return problem_set(problem, EXIT_CODE_FAILED, "%s: cannot use: %s", state->path,
                       strerror(errno));
  if (read_key(state) == 0 || (make && make_key(state) == 0 && read_key(state) == 0) || !make)
    return 0;
  problem_set(problem, EXIT_CODE_FAILED, "%s: cannot write: %s", state->path, strerror(errno));
  hook_state_close(state);
  return -1;
}

void hook_state_close(struct hook_state *state) {
  if (state->folder >= 0)
    close(state->folder);
  state->folder = -1;
}

int hook_state_file(const struct hook_state *state, const char *name, int flags) {
  struct stat entry;
  const char *slash = strchr(name, '/');
  char folder[64];

  if (slash && (flags & O_CREAT) != 0 && (size_t)(slash - name) < sizeof folder) {
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - name), name);
    mkdirat(state->folder, folder, 0700);
  }
  int fd = openat(state->folder, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
  if (fd >= 0 && (fstat(fd, &entry) < 0 || !S_ISREG(entry.st_mode) || entry.st_uid != geteuid())) {
    close(fd);
    errno = EPERM;
    return -1;
  }
  return fd;
}

/* ---- what is removed again ------------------------------------------------------------------- */

/* Written by a clock that was years late: its age is unknown, and counts from now on. */
static bool is_of_wrong_clock(int folder, const char *name, const struct stat *found,
                              time_t key_time, time_t now) {
  const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = now}};

  return found->st_mtime < key_time - YEAR_S &&
         utimensat(folder, name, times, AT_SYMLINK_NOFOLLOW) == 0;
}

static size_t remove_older(int folder, time_t oldest, time_t key_time, time_t now) {
  size_t kept = 0;
  int copy = fcntl(folder, F_DUPFD_CLOEXEC, 0);
  DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;

  if (!entries) {
    if (copy >= 0)
      close(copy);
    return 0;
  }
  rewinddir(entries);
  for (const struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
    struct stat found;

    if (*entry->d_name == '.' || fstatat(folder, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) < 0)
      continue;
    if (found.st_mtime < oldest && !is_of_wrong_clock(folder, entry->d_name, &found, key_time, now))
      unlinkat(folder, entry->d_name, 0);
    else
      kept++;
  }
  closedir(entries);
  return kept;
}

static time_t seconds_since_boot(void) {
  struct timespec now;

#ifdef CLOCK_BOOTTIME
  if (clock_gettime(CLOCK_BOOTTIME, &now) == 0)
    return now.tv_sec;
#endif
  return clock_gettime(CLOCK_MONOTONIC, &now) == 0 ? now.tv_sec : 0;
}

/* The time that one wrong look at the clock does not change: what the clock says, and at most what
 * it said at the last look and what has certainly passed since.  After a boot that is at least the
 * time since the boot.  0: there was no last look. */
static time_t believed_time(int fd, time_t now) {
  long long last_wall_s, last_boot_s;
  time_t boot_s = seconds_since_boot();
  char text[64] = "";
  int len;

  if (pread(fd, text, sizeof text - 1, 0) < 0)
    return 0;
  bool has_last = sscanf(text, "%lld %lld", &last_wall_s, &last_boot_s) == 2 && last_wall_s > 0 &&
                  last_wall_s < now + CENTURY_S && last_boot_s >= 0;
  len = snprintf(text, sizeof text, "%lld %lld\n", (long long)now, (long long)boot_s);
  if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len || !has_last)
    return 0;
  time_t passed_s = boot_s >= last_boot_s ? boot_s - (time_t)last_boot_s : boot_s;
  return now < last_wall_s + passed_s ? now : (time_t)last_wall_s + passed_s;
}

/* The time to clean by, 0 when it is not time to. */
static time_t time_to_clean(const struct hook_state *state, time_t now, time_t *key_time) {
  struct stat entry, key;
  time_t believed = 0;
  int fd = hook_state_file(state, "cleaned", O_RDWR | O_CREAT);

  if (fd < 0)
    return 0;
  if (fstat(fd, &entry) == 0 && fstatat(state->folder, "key", &key, AT_SYMLINK_NOFOLLOW) == 0 &&
      (entry.st_size == 0 || now - entry.st_mtime >= CLEAN_INTERVAL_S ||
       entry.st_mtime > now + CLEAN_INTERVAL_S)) {
    believed = believed_time(fd, now);
    *key_time = key.st_mtime;
  }
  close(fd);
  return believed;
}

void hook_state_clean(const struct hook_state *state) {
  static const char *const folders[] = {HOOK_STATE_TURNS, HOOK_STATE_TESTS};
  time_t key_time = 0, now = time_to_clean(state, time(NULL), &key_time);

  if (now == 0)
    return;
  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
    int folder = openat(state->folder, folders[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (folder < 0)
      continue;
    if (remove_older(folder, now - AGE_MAX_S, key_time, now) > FILES_MAX)
      remove_older(folder, now - DAY_S, key_time, now);
    close(folder);
  }
}

uint64_t hook_state_mark(const struct hook_state *state, const void *data, size_t len) {
  return hook_fingerprint(state->key, data, len);
}
