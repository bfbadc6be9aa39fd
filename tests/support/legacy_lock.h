/* legacy_lock.h - a lock that outlives the process that took it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_LEGACY_LOCK_H
#define KAIZEN_TESTS_LEGACY_LOCK_H

#include "sandbox.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

/* A process takes the lock of that file or folder, forks, and is killed: the child keeps it and
 * waits until it is killed, too.  Answers the child. */
SANDBOX_HELPER pid_t legacy_lock_leave(const char *path, int flags) {
  int told[2];
  pid_t taker, child;

  cr_assert_eq(pipe(told), 0);
  taker = fork();
  if (taker == 0) {
    int fd = open(path, O_RDWR | flags);

    if (fd < 0 && errno == EISDIR)
      fd = open(path, O_RDONLY | flags);
    if (fd < 0 || flock(fd, LOCK_EX) != 0)
      _exit(1);
    child = fork();
    if (child != 0 && write(told[1], &child, sizeof child) != sizeof child)
      _exit(1);
    for (;;)
      (void)pause();
  }
  cr_assert_eq(read(told[0], &child, sizeof child), sizeof child);
  (void)kill(taker, SIGKILL);
  cr_assert_eq(waitpid(taker, NULL, 0), taker);
  (void)close(told[0]);
  (void)close(told[1]);
  return child;
}

#endif
