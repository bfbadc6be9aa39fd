/* failing_fsync.h - an fsync() in the place of libc's that can be told to fail once.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * For the one file of a test program that includes it: it defines the function. */
#ifndef KAIZEN_TESTS_FAILING_FSYNC_H
#define KAIZEN_TESTS_FAILING_FSYNC_H

#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel tells a failed sync once, and the next one succeeds. */
static bool next_fsync_fails;

int fsync(int fd) {
  if (next_fsync_fails) {
    next_fsync_fails = false;
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_fsync, fd);
}

#endif
