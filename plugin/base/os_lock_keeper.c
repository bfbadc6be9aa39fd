/* os_lock_keeper.c - which process keeps a flock(2) that is not free: by /proc, where there is one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/os_lock_keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define TEXT_MAX 2048

struct search {
  struct stat file;
  char name[NAME_MAX + 1]; /* of the file, without its folder */
  int64_t deadline_ns;
  bool taker, child, cut_short;
};

/* 0 with the beginning of a file of /proc, NUL-terminated. */
static int read_text(const char *path, char text[TEXT_MAX]) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = fd >= 0 ? read(fd, text, TEXT_MAX - 1) : -1;

  if (fd >= 0)
    (void)close(fd);
  text[got > 0 ? got : 0] = '\0';
  return got > 0 ? 0 : -1;
}

/* Where a child's parent is outside this pid namespace, the process that took the lock may be
 * there, too, and alive. */
static bool has_parent_here(const char *pid) {
  char path[64], text[TEXT_MAX];
  const char *state;
  long parent = 0;

  (void)snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  if (read_text(path, text) != 0 || !(state = strrchr(text, ')')))
    return false;
  return sscanf(state, ") %*c %ld", &parent) == 1 && parent != 0;
}

/* proc(5), /proc/PID/stat: a process whose first thread has ended is a zombie with others. */
static bool is_alive(long pid) {
  char path[64], text[TEXT_MAX], state = 'Z';
  const char *after_name;
  long threads = 0;

  (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
  if (read_text(path, text) != 0 || !(after_name = strrchr(text, ')')))
    return kill((pid_t)pid, 0) == 0 || errno == EPERM;
  if (sscanf(after_name, ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld",
             &state, &threads) != 2)
    return true;
  return (state != 'Z' && state != 'X') || threads > 1;
}

/* proc(5), /proc/PID/fdinfo: "flags:\t02100002" and, for each lock of the open file, "lock:\t1:
 * FLOCK  ADVISORY  WRITE 11448 fe:00:10952857 0 EOF", where the pid is that of the process that
 * took the lock, 0 when it is gone or cannot be seen. */
static void look_at_descriptor(struct search *search, const char *pid, const char *number) {
  char path[sizeof "/proc//fdinfo/" + 2 * sizeof((struct dirent *)0)->d_name], text[TEXT_MAX];
  const char *flags, *lock;
  long taker;

  (void)snprintf(path, sizeof path, "/proc/%s/fdinfo/%s", pid, number);
  if (read_text(path, text) != 0)
    return;
  lock = strstr(text, "FLOCK");
  flags = strstr(text, "flags:");
  if (!lock || !flags || sscanf(lock, "FLOCK %*s %*s %ld", &taker) != 1)
    return;
  if (taker > 0 && is_alive(taker)) /* it may have forked this one a moment ago */
    search->taker = true;
  else if (strtol(flags + strlen("flags:"), NULL, 8) & O_CLOEXEC && has_parent_here(pid))
    search->child = true;
}

/* The last part of what a descriptor's link says, without the note that the name is gone. The file
 * itself is not looked at: its file system may hang. */
static void read_name(int folder_fd, const char *number, char name[NAME_MAX + 1]) {
  char link[PATH_MAX];
  ssize_t len = readlinkat(folder_fd, number, link, sizeof link - 1);
  char *slash, *gone;

  link[len > 0 ? len : 0] = '\0';
  slash = strrchr(link, '/');
  gone = slash ? strstr(slash, " (deleted)") : NULL;
  if (gone)
    *gone = '\0';
  (void)snprintf(name, NAME_MAX + 1, "%.*s", NAME_MAX, slash ? slash + 1 : "");
}

static void look_at_process(struct search *search, const char *pid) {
  const struct dirent *entry;
  char path[64], name[NAME_MAX + 1];
  struct stat status;
  DIR *folder;

  (void)snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
  folder = opendir(path);
  while (folder && (entry = readdir(folder)) != NULL) {
    read_name(dirfd(folder), entry->d_name, name);
    if (strcmp(name, search->name) == 0 && fstatat(dirfd(folder), entry->d_name, &status, 0) == 0 &&
        status.st_ino == search->file.st_ino && status.st_dev == search->file.st_dev)
      look_at_descriptor(search, pid, entry->d_name);
  }
  if (folder)
    (void)closedir(folder);
}

enum os_lock_keeper os_lock_keeper_look(int fd, int64_t deadline_ns) {
  int saved_errno = errno;
  struct search search = {.deadline_ns = deadline_ns};
  const struct dirent *entry;
  DIR *folder = fstat(fd, &search.file) == 0 ? opendir("/proc") : NULL;
  char own[32];

  (void)snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
  read_name(AT_FDCWD, own, search.name);
  while (folder && !search.taker && !search.cut_short && (entry = readdir(folder)) != NULL) {
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
      look_at_process(&search, entry->d_name);
    search.cut_short = clock_monotonic_ns() >= deadline_ns;
  }
  if (folder)
    (void)closedir(folder);
  errno = saved_errno;
  if (search.taker)
    return OS_LOCK_KEEPER_TAKER;
  return search.child && !search.cut_short ? OS_LOCK_KEEPER_CHILD : OS_LOCK_KEEPER_UNKNOWN;
}
