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
  bool heir; /* the lock was passed on to it, or its parent is outside this namespace */
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

struct process_status {
  char state;
  long parent, threads; /* parent 0: it is outside this pid namespace */
};

/* proc(5), /proc/PID/stat.  -1: there is none. */
static int read_status(const char *pid, struct process_status *status) {
  char path[64], text[TEXT_MAX];
  const char *after_name;

  (void)snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  if (read_text(path, text) != 0 || !(after_name = strrchr(text, ')')))
    return -1;
  return sscanf(after_name,
                ") %c %ld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld",
                &status->state, &status->parent, &status->threads) == 3
             ? 0
             : -1;
}

/* A process whose first thread has ended is a zombie with other threads. */
static bool is_alive(long pid) {
  struct process_status status;
  char text[32];

  (void)snprintf(text, sizeof text, "%ld", pid);
  if (read_status(text, &status) != 0)
    return kill((pid_t)pid, 0) == 0 || errno == EPERM;
  return (status.state != 'Z' && status.state != 'X') || status.threads > 1;
}

/* proc(5), /proc/PID/fdinfo: "flags:\t02100002" and, for each lock of the open file, "lock:\t1:
 * FLOCK  ADVISORY  WRITE 11448 fe:00:10952857 0 EOF", where the pid is that of the process that
 * took the lock, 0 when it is gone or cannot be seen.  The latter may be alive outside this pid
 * namespace, if the first process of the namespace, whose parent is outside, has the lock too. */
static void look_at_descriptor(struct search *search, const char *pid, const char *number) {
  char path[sizeof "/proc//fdinfo/" + 2 * sizeof((struct dirent *)0)->d_name], text[TEXT_MAX];
  struct process_status status;
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
  else if (strtol(flags + strlen("flags:"), NULL, 8) & O_CLOEXEC &&
           read_status(pid, &status) == 0 && status.parent != 0)
    search->child = true;
  else
    search->heir = true;
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
  return search.child && !search.heir && !search.cut_short ? OS_LOCK_KEEPER_CHILD
                                                           : OS_LOCK_KEEPER_UNKNOWN;
}
