/* os_process.h - what a process needs of the operating system beyond POSIX, with a POSIX
 * replacement for each.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * getrandom, madvise, memfd_create, /proc and the names of threads stand here and nowhere else. */
#ifndef KAIZEN_BASE_OS_PROCESS_H
#define KAIZEN_BASE_OS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Random bytes from getrandom, else from /dev/urandom; never waits.  -1 where neither is available:
 * the bytes are then zero.  errno is kept. */
int os_process_random(void *bytes, size_t len);

/* The text that names this boot to Linux, with its NUL; "" where it cannot be read.  errno is
 * kept. */
void os_process_boot_text(char *text, size_t room);

/* When a process began, in clock ticks since the boot: with its pid it names one process of a boot.
 * 0; 1: there is no such process; -1: unknown.  errno is kept. */
int os_process_start(pid_t pid, uint64_t *ticks);
/* Is that process stopped by a signal?  False also where that is unknown.  errno is kept. */
bool os_process_is_stopped(pid_t pid);
/* The number of this process's pid namespace: pids of another one mean nothing here.  0 where it is
 * unknown.  errno is kept. */
uint64_t os_process_namespace(void);

/* A page of zeros that is zeroed again in a forked child; NULL where the system has no such pages.
 * errno is kept. */
void *os_process_wiped_page(void);
void os_process_free_page(void *page);

/* Copies a file into memory of this process, so that dlopen() of `name` maps a new image, separate
 * from any that is mapped already.  The descriptor, which the caller closes afterwards, or -1 where
 * the system cannot.  errno is kept. */
int os_process_copy_image(const char *path, char name[32]);

/* Calls `each` with every open descriptor of the process, including one that it opens for this. */
void os_process_each_descriptor(void (*each)(void *ctx, int fd), void *ctx);

/* Names the calling thread for ps(1) and the like; does nothing where that is impossible.  At most
 * 15 bytes. */
void os_process_name_thread(const char *name);

#endif
