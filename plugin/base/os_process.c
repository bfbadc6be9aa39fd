/* os_process.c - what a process needs of the operating system beyond POSIX, with a POSIX
 * replacement for each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/os_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if KAIZEN_LINUX_CALLS
#include <sys/mman.h>
#include <sys/random.h>
#endif

/* Where no folder lists the descriptors, each number is tried; the limit may be a thousand
 * million. */
#define DESCRIPTORS_ASKED_MAX 65536

static int call_getrandom(void *bytes, size_t len) {
#if KAIZEN_LINUX_CALLS
  /* without waiting: early in a boot /dev/urandom answers, and getrandom would wait */
  return getrandom(bytes, len, GRND_NONBLOCK) == (ssize_t)len ? 0 : -1;
#else
  (void)bytes, (void)len;
  errno = ENOSYS;
  return -1;
#endif
}

int os_process_random(void *bytes, size_t len) {
  int saved_errno = errno;
  int fd, result = call_getrandom(bytes, len);
  size_t got = 0;

  if (result == 0) {
    errno = saved_errno;
    return 0;
  }
  fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC | O_NOCTTY);
  while (fd >= 0 && got < len) {
    ssize_t n = read(fd, (char *)bytes + got, len - got);

    if (n <= 0 && errno != EINTR)
      break;
    got += n > 0 ? (size_t)n : 0;
  }
  if (fd >= 0)
    (void)close(fd);
  if (got < len)
    memset(bytes, 0, len);
  errno = saved_errno;
  return got == len ? 0 : -1;
}

void os_process_boot_text(char *text, size_t room) {
  int saved_errno = errno;
  int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  ssize_t got = 0;

  if (fd >= 0) {
    got = read(fd, text, room - 1);
    (void)close(fd);
  }
  text[got > 0 ? got : 0] = '\0';
  errno = saved_errno;
}

#if KAIZEN_LINUX_CALLS
/* What follows the name (which may hold anything) in proc(5)'s stat of a process: its state first.
 * Read below task/, which says the same: an emulator fakes the other file for the process itself,
 * but others see the real one, and the two are compared.  0, 1 when there is no such process,
 * -1. */
static int read_stat(pid_t pid, char *text, size_t room, const char **state) {
  char path[64];
  ssize_t got;
  int fd;

  (void)snprintf(path, sizeof path, "/proc/%ld/task/%ld/stat", (long)pid, (long)pid);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return errno == ENOENT && access("/proc/self/stat", R_OK) == 0 ? 1 : -1;
  got = read(fd, text, room - 1);
  (void)close(fd);
  if (got <= 0)
    return got < 0 && errno == ESRCH ? 1 : -1;
  text[got] = '\0';
  *state = strrchr(text, ')');
  if (!*state || (*state)[1] != ' ')
    return -1;
  *state += 2;
  return 0;
}

/* The 22nd field. */
static int read_start(pid_t pid, uint64_t *ticks) {
  char text[512];
  const char *at;
  int result = read_stat(pid, text, sizeof text, &at);

  if (result != 0)
    return result;
  if (*at == 'Z' || *at == 'X')
    return 1; /* a zombie: it has ended, and its parent has not waited for it */
  for (int field = 3; at && field < 22; field++)
    at = strchr(at + 1, ' ');
  if (!at)
    return -1;
  *ticks = strtoull(at, NULL, 10);
  return 0;
}
#endif

int os_process_start(pid_t pid, uint64_t *ticks) {
  int saved_errno = errno, result;

  *ticks = 0;
#if KAIZEN_LINUX_CALLS
  result = read_start(pid, ticks);
#else
  result = kill(pid, 0) != 0 && errno == ESRCH ? 1 : -1;
#endif
  errno = saved_errno;
  return result;
}

bool os_process_is_stopped(pid_t pid) {
  bool stopped = false;
#if KAIZEN_LINUX_CALLS
  int saved_errno = errno;
  char text[512];
  const char *state;

  stopped = read_stat(pid, text, sizeof text, &state) == 0 && (*state == 'T' || *state == 't');
  errno = saved_errno;
#else
  (void)pid;
#endif
  return stopped;
}

uint64_t os_process_namespace(void) {
  uint64_t number = 0;
#if KAIZEN_LINUX_CALLS
  int saved_errno = errno;
  struct stat status;

  if (stat("/proc/self/ns/pid", &status) == 0)
    number = (uint64_t)status.st_ino;
  errno = saved_errno;
#endif
  return number;
}

#if KAIZEN_LINUX_CALLS
/* An emulator such as qemu-user may accept any advice and follow none. */
static bool wipes_on_fork(void *page, size_t size) {
  return madvise(page, size, -1) != 0 && madvise(page, size, MADV_WIPEONFORK) == 0;
}
#endif

void *os_process_wiped_page(void) {
#if KAIZEN_LINUX_CALLS
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  int saved_errno = errno;
  void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (page == MAP_FAILED)
    page = NULL;
  if (page && !wipes_on_fork(page, size)) {
    (void)munmap(page, size);
    page = NULL;
  }
  errno = saved_errno;
  return page;
#else
  return NULL;
#endif
}

void os_process_free_page(void *page) {
#if KAIZEN_LINUX_CALLS
  (void)munmap(page, (size_t)sysconf(_SC_PAGESIZE));
#else
  (void)page;
#endif
}

#if KAIZEN_LINUX_CALLS
/* 0 when everything was copied. */
static int copy_bytes(int from, int to) {
  char bytes[16384];
  ssize_t got;

  while ((got = read(from, bytes, sizeof bytes)) > 0)
    if (write(to, bytes, (size_t)got) != got)
      return -1;
  return got == 0 ? 0 : -1;
}
#endif

int os_process_copy_image(const char *path, char name[32]) {
  int to = -1;
#if KAIZEN_LINUX_CALLS
  int saved_errno = errno;
  int from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

  if (from >= 0)
    to = memfd_create("library", MFD_CLOEXEC);
  if (to >= 0 && copy_bytes(from, to) != 0) {
    (void)close(to);
    to = -1;
  }
  if (from >= 0)
    (void)close(from);
  (void)snprintf(name, 32, "/proc/self/fd/%d", to);
  errno = saved_errno;
#else
  (void)path;
  name[0] = '\0';
#endif
  return to;
}

void os_process_each_descriptor(void (*each)(void *ctx, int fd), void *ctx) {
  const struct dirent *entry;
  DIR *folder = opendir("/proc/self/fd");
  long limit;

  if (!folder)
    folder = opendir("/dev/fd");
  if (folder) {
    while ((entry = readdir(folder)) != NULL)
      if (entry->d_name[0] != '.')
        each(ctx, atoi(entry->d_name));
    (void)closedir(folder);
    return;
  }
  limit = sysconf(_SC_OPEN_MAX);
  if (limit < 0 || limit > DESCRIPTORS_ASKED_MAX)
    limit = DESCRIPTORS_ASKED_MAX;
  for (int fd = 0; fd < limit; fd++)
    if (fcntl(fd, F_GETFD) >= 0)
      each(ctx, fd);
}

void os_process_name_thread(const char *name) {
#if KAIZEN_LINUX_CALLS
  (void)pthread_setname_np(pthread_self(), name);
#else
  (void)name;
#endif
}
