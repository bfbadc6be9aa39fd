/* os_watch.c - learning that a file in a folder was written.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/os_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if KAIZEN_LINUX_CALLS

#include <sys/inotify.h>

struct os_watch {
  int fd;
  int end[2]; /* a pipe, whose other end is closed to end a wait */
};

struct os_watch *os_watch_new(void) {
  struct os_watch *watch = calloc(1, sizeof *watch);

  if (!watch)
    return NULL;
  watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (watch->fd >= 0 && pipe2(watch->end, O_CLOEXEC) == 0)
    return watch;
  if (watch->fd >= 0)
    (void)close(watch->fd);
  free(watch);
  return NULL;
}

void os_watch_free(struct os_watch *watch) {
  os_watch_end(watch);
  (void)close(watch->end[0]);
  (void)close(watch->fd);
  free(watch);
}

int os_watch_add(struct os_watch *watch, int directory_fd) {
  char path[32];

  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", directory_fd);
  return inotify_add_watch(watch->fd, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
}

void os_watch_remove(struct os_watch *watch, int number) {
  (void)inotify_rm_watch(watch->fd, number); /* fails when the folder was removed before */
}

void os_watch_end(struct os_watch *watch) {
  if (watch->end[1] >= 0)
    (void)close(watch->end[1]);
  watch->end[1] = -1;
}

size_t os_watch_wait(struct os_watch *watch, int *numbers, size_t max, int *all) {
  union {
    char bytes[4096];
    struct inotify_event aligned;
  } buffer;
  size_t count = 0;

  *all = 0;
  while (count == 0) {
    struct pollfd waited[2] = {{.fd = watch->fd, .events = POLLIN}, {.fd = watch->end[0]}};
    ssize_t got;

    if (poll(waited, 2, -1) < 0 && errno != EINTR)
      return 0;
    if (waited[1].revents != 0)
      return 0;
    got = read(watch->fd, buffer.bytes, sizeof buffer.bytes);
    for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= got;) {
      struct inotify_event event;

      memcpy(&event, buffer.bytes + at, sizeof event);
      at += (ssize_t)(sizeof event + event.len);
      if (event.mask & IN_Q_OVERFLOW || count == max)
        *all = 1;
      else
        numbers[count++] = event.wd;
    }
    if (*all)
      return count > 0 ? count : 1;
  }
  return count;
}

#else

struct os_watch *os_watch_new(void) {
  return NULL;
}

void os_watch_free(struct os_watch *watch) {
  (void)watch;
}

int os_watch_add(struct os_watch *watch, int directory_fd) {
  (void)watch, (void)directory_fd;
  return -1;
}

void os_watch_remove(struct os_watch *watch, int number) {
  (void)watch, (void)number;
}

void os_watch_end(struct os_watch *watch) {
  (void)watch;
}

size_t os_watch_wait(struct os_watch *watch, int *numbers, size_t max, int *all) {
  (void)watch, (void)numbers, (void)max;
  *all = 0;
  return 0;
}

#endif
