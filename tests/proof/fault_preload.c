/* fault_preload.c - an LD_PRELOAD library that makes system calls and allocations fail.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The product has no hook for this: what fails is what the C library offers it.  Besides, two facts
 * that a power loss would change or keep can be given from outside, so that recovery on a copy of a
 * disk sees what it would see on the disk itself:
 *   PROOF_BOOT_ID=FILE   read in place of the kernel's boot id
 *   PROOF_INODES=FILE    lines "N M": what has inode number N here had M on that disk
 *   PROOF_SAME_FOLDER=1  every folder has the same inode number and time of birth in statx() */
#include "fault_preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define SAME_INODE 4711
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
/* An interrupted call that is interrupted forever would be retried forever, rightly. */
#define INTERRUPTIONS 50

/* ANY counts all but FSTAT, CLOSE, LSEEK and the two of memory with one counter: a disk that dies.
 * OWN_MEMORY is what the plugin's own code asks for: libcrypto, which libnats starts, crashes when
 * it gets none. */
enum kind {
  OPEN,
  WRITE,
  PWRITE,
  FSYNC,
  FDATASYNC,
  FTRUNCATE,
  RENAME,
  FLOCK,
  FSTAT,
  CLOSE,
  READ,
  MKDIR,
  UNLINK,
  ALLOCATE,
  LSEEK,
  ANY,
  MEMORY,
  OWN_MEMORY,
  KIND_COUNT
};
static const char *const fault_kinds[KIND_COUNT] = {
    "open",   "write",     "pwrite", "fsync", "fdatasync", "ftruncate",
    "rename", "flock",     "stat",   "close", "read",      "mkdir",
    "unlink", "fallocate", "lseek",  "any",   "memory",    "own_memory"};

static struct fault_plan plan;
static size_t root_len;
static struct fault_report state;
static enum kind wanted = KIND_COUNT; /* disarmed */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

EXPORT void fault_arm(const struct fault_plan *new_plan);
EXPORT void fault_disarm(struct fault_report *report);

void fault_arm(const struct fault_plan *new_plan) {
  (void)pthread_mutex_lock(&mutex);
  plan = *new_plan;
  root_len = strlen(plan.root);
  state = (struct fault_report){0};
  for (wanted = 0; wanted < KIND_COUNT && strcmp(fault_kinds[wanted], plan.kind) != 0;)
    wanted++;
  (void)pthread_mutex_unlock(&mutex);
}

void fault_disarm(struct fault_report *report) {
  (void)pthread_mutex_lock(&mutex);
  wanted = KIND_COUNT;
  *report = state;
  (void)pthread_mutex_unlock(&mutex);
}

/* ---- is it to fail? -----------------------------------------------------------------------------
 */

static bool below_root(const char *path) {
  return strncmp(path, plan.root, root_len) == 0 &&
         (path[root_len] == '\0' || path[root_len] == '/');
}

/* The file `fd` is open on; for a path beneath it that follows. */
static bool find_file(int fd, const char *path, char out[sizeof state.where]) {
  char link[64];
  ssize_t len;

  if (path && path[0] == '/') {
    (void)snprintf(out, sizeof state.where, "%s", path);
    return below_root(out);
  }
  (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  len = syscall(SYS_readlinkat, AT_FDCWD, link, out, sizeof state.where - 1);
  if (len <= 0)
    return false;
  out[len] = '\0';
  if (!below_root(out))
    return false;
  if (path)
    (void)snprintf(out + len, sizeof state.where - (size_t)len, "/%s", path);
  return true;
}

/* Another program's write, which takes no lock. */
static void intrude(void) {
  long fd = plan.intruder ? syscall(SYS_openat, AT_FDCWD, plan.intruder, O_WRONLY | O_APPEND) : -1;

  if (fd < 0)
    return;
  (void)syscall(SYS_write, fd, plan.intrusion, strlen(plan.intrusion));
  (void)syscall(SYS_close, fd);
}

/* 0 no, 1 yes with errno set, 2 a shortened write. */
static int decide(const char *where) {
  int answer = 0;

  (void)pthread_mutex_lock(&mutex);
  if (wanted != KIND_COUNT && ++state.calls >= plan.nth) {
    bool first = state.calls == plan.nth;

    if (first)
      intrude();
    answer = first && plan.shorten ? 2 : first || plan.sticky ? 1 : 0;
    if (plan.os_error == EINTR && state.calls >= plan.nth + INTERRUPTIONS)
      answer = 0;
    if (answer) {
      state.failed++;
      (void)snprintf(state.where, sizeof state.where, "%s", where);
    }
    if (answer == 1 && plan.os_error == 0)
      answer = 0;
    if (answer == 1)
      errno = plan.os_error;
  }
  (void)pthread_mutex_unlock(&mutex);
  return answer;
}

static int fails(enum kind kind, int fd, const char *path) {
  char where[sizeof state.where];
  int saved_errno = errno, answer;
  enum kind now = __atomic_load_n(&wanted, __ATOMIC_RELAXED);

  if (now != kind && (now != ANY || kind == FSTAT || kind == CLOSE || kind == LSEEK))
    return 0;
  if (!find_file(fd, path, where)) {
    errno = saved_errno;
    return 0;
  }
  errno = saved_errno;
  answer = decide(where);
  if (answer == 2 && kind != WRITE && kind != PWRITE && kind != READ) {
    errno = plan.os_error; /* nothing to shorten */
    answer = 1;
  }
  return answer;
}

#define REAL(result, name, ...)                                                                    \
  static result (*real)(__VA_ARGS__);                                                              \
  if (!real)                                                                                       \
  *(void **)&real = dlsym(RTLD_NEXT, name)

/* ---- the same disk in another place -------------------------------------------------------------
 */

/* Read once by each process that has the variable: it is forked off after the file is written. */
static void restore_inode(struct stat *status) {
  static unsigned long here[16], there[16];
  static int count = -1;
  const char *path;
  char text[1024], *at = text;
  ssize_t got;
  long fd;

  if (count < 0) {
    count = 0;
    path = getenv("PROOF_INODES");
    fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY) : -1;
    got = fd < 0 ? 0 : syscall(SYS_read, fd, text, sizeof text - 1);
    text[got > 0 ? got : 0] = '\0';
    if (fd >= 0)
      (void)syscall(SYS_close, fd);
    while (count < 16 && *at) {
      here[count] = strtoul(at, &at, 10);
      there[count++] = strtoul(at, &at, 10);
      at += strspn(at, "\n");
    }
  }
  for (int i = 0; i < count; i++)
    if (status->st_ino == here[i]) {
      status->st_ino = there[i];
      return;
    }
}

/* ---- calls --------------------------------------------------------------------------------------
 */

static const char *other_boot_id(const char *path) {
  const char *file = strcmp(path, BOOT_ID) == 0 ? getenv("PROOF_BOOT_ID") : NULL;

  return file ? file : path;
}

EXPORT int open(const char *path, int flags, ...) {
  mode_t mode = 0;
  va_list arguments;

  va_start(arguments, flags);
  if (flags & (O_CREAT | __O_TMPFILE))
    mode = va_arg(arguments, mode_t);
  va_end(arguments);
  if (fails(OPEN, AT_FDCWD, path))
    return -1;
  return (int)syscall(SYS_openat, AT_FDCWD, other_boot_id(path), flags, mode);
}

EXPORT int openat(int folder, const char *path, int flags, ...) {
  mode_t mode = 0;
  va_list arguments;

  va_start(arguments, flags);
  if (flags & (O_CREAT | __O_TMPFILE))
    mode = va_arg(arguments, mode_t);
  va_end(arguments);
  if (fails(OPEN, folder, path))
    return -1;
  return (int)syscall(SYS_openat, folder, path, flags, mode);
}

/* openat2 has no wrapper in the C library. */
EXPORT long syscall(long number, ...) {
  REAL(long, "syscall", long, ...);
  long a[6];
  va_list arguments;

  va_start(arguments, number);
  for (int i = 0; i < 6; i++)
    a[i] = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_openat2 && fails(OPEN, (int)a[0], (const char *)a[1]))
    return -1;
  return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t len) {
  REAL(ssize_t, "write", int, const void *, size_t);
  int how = fails(WRITE, fd, NULL);

  return how == 1 ? -1 : real(fd, bytes, how == 2 && len > 1 ? len / 2 : len);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
  int how = fails(PWRITE, fd, NULL);

  return how == 1 ? -1 : real(fd, bytes, how == 2 && len > 1 ? len / 2 : len, offset);
}

EXPORT ssize_t read(int fd, void *bytes, size_t len) {
  REAL(ssize_t, "read", int, void *, size_t);
  int how = fails(READ, fd, NULL);

  return how == 1 ? -1 : real(fd, bytes, how == 2 && len > 1 ? len / 2 : len);
}

EXPORT ssize_t pread(int fd, void *bytes, size_t len, off_t offset) {
  REAL(ssize_t, "pread", int, void *, size_t, off_t);
  int how = fails(READ, fd, NULL);

  return how == 1 ? -1 : real(fd, bytes, how == 2 && len > 1 ? len / 2 : len, offset);
}

EXPORT int fsync(int fd) {
  REAL(int, "fsync", int);
  return fails(FSYNC, fd, NULL) ? -1 : real(fd);
}

EXPORT int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  return fails(FDATASYNC, fd, NULL) ? -1 : real(fd);
}

EXPORT int ftruncate(int fd, off_t size) {
  REAL(int, "ftruncate", int, off_t);
  return fails(FTRUNCATE, fd, NULL) ? -1 : real(fd, size);
}

EXPORT off_t lseek(int fd, off_t offset, int whence) {
  REAL(off_t, "lseek", int, off_t, int);
  return fails(LSEEK, fd, NULL) ? -1 : real(fd, offset, whence);
}

EXPORT int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  REAL(int, "renameat", int, const char *, int, const char *);
  return fails(RENAME, to_folder, to) ? -1 : real(from_folder, from, to_folder, to);
}

EXPORT int renameat2(int from_folder, const char *from, int to_folder, const char *to,
                     unsigned flags) {
  REAL(int, "renameat2", int, const char *, int, const char *, unsigned);
  return fails(RENAME, to_folder, to) ? -1 : real(from_folder, from, to_folder, to, flags);
}

/* Giving a lock back does not fail. */
EXPORT int flock(int fd, int operation) {
  REAL(int, "flock", int, int);
  return operation != LOCK_UN && fails(FLOCK, fd, NULL) ? -1 : real(fd, operation);
}

EXPORT int fstat(int fd, struct stat *status) {
  REAL(int, "fstat", int, struct stat *);
  int result = fails(FSTAT, fd, NULL) ? -1 : real(fd, status);

  if (result == 0)
    restore_inode(status);
  /* without statx() it is what tells a folder from its copy */
  if (result == 0 && !KAIZEN_LINUX_CALLS && S_ISDIR(status->st_mode) && getenv("PROOF_SAME_FOLDER"))
    status->st_ino = SAME_INODE;
  return result;
}

EXPORT int fstatat(int folder, const char *restrict path, struct stat *restrict status, int flags) {
  REAL(int, "fstatat", int, const char *restrict, struct stat *restrict, int);
  int result = fails(FSTAT, folder, path) ? -1 : real(folder, path, status, flags);

  if (result == 0)
    restore_inode(status);
  return result;
}

EXPORT int statx(int folder, const char *restrict path, int flags, unsigned mask,
                 struct statx *restrict status) {
  REAL(int, "statx", int, const char *restrict, int, unsigned, struct statx *restrict);
  int result;

  if (fails(FSTAT, folder, path))
    return -1;
  result = real(folder, path, flags, mask, status);
  if (result == 0 && getenv("PROOF_SAME_FOLDER")) {
    status->stx_ino = SAME_INODE;
    status->stx_btime = (struct statx_timestamp){.tv_sec = 1700000000};
    status->stx_mask |= STATX_INO | STATX_BTIME;
  }
  return result;
}

/* The descriptor is gone whatever close() answers. */
EXPORT int close(int fd) {
  REAL(int, "close", int);
  int how = fails(CLOSE, fd, NULL), os_error = errno, result = real(fd);

  if (!how)
    return result;
  errno = os_error;
  return -1;
}

EXPORT int mkdirat(int folder, const char *path, mode_t mode) {
  REAL(int, "mkdirat", int, const char *, mode_t);
  return fails(MKDIR, folder, path) ? -1 : real(folder, path, mode);
}

EXPORT int unlinkat(int folder, const char *path, int flags) {
  REAL(int, "unlinkat", int, const char *, int);
  return fails(UNLINK, folder, path) ? -1 : real(folder, path, flags);
}

EXPORT int posix_fallocate(int fd, off_t offset, off_t len) {
  REAL(int, "posix_fallocate", int, off_t, off_t);
  return fails(ALLOCATE, fd, NULL) ? errno : real(fd, offset, len);
}

/* ---- memory -------------------------------------------------------------------------------------
 * Every allocation of the process while armed: the plugin's own, and what the C library allocates
 * for it. */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool memory_fails(const void *caller) {
  enum kind now = __atomic_load_n(&wanted, __ATOMIC_RELAXED);
  Dl_info image;

  if (now == OWN_MEMORY && (!dladdr(caller, &image) || !strstr(image.dli_fname, "kaizen_metrics")))
    return false;
  return (now == MEMORY || now == OWN_MEMORY) && decide("memory") != 0;
}

EXPORT void *malloc(size_t size) {
  return memory_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size) {
  return memory_fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *old, size_t size) {
  return memory_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
  return memory_fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
  *out = memory_fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
  return *out ? 0 : ENOMEM;
}
