/* os_lock_keeper.h - which process keeps a flock(2) that is not free.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Such a lock belongs to the open file, and a forked child has that file open too: when the process
 * that took it is killed, the lock lives on with the child, which knows nothing of it. */
#ifndef KAIZEN_BASE_OS_LOCK_KEEPER_H
#define KAIZEN_BASE_OS_LOCK_KEEPER_H

#include <stdint.h>

enum os_lock_keeper {
  OS_LOCK_KEEPER_UNKNOWN, /* no process that can be seen from here; or it is free by now */
  OS_LOCK_KEEPER_TAKER,   /* the process that took it */
  OS_LOCK_KEEPER_CHILD,   /* a fork of it that has outlived it */
};

/* Who keeps the lock on the file that `fd` is open on. A descriptor that survives exec(2) was meant
 * to be passed on, as flock(1) does, and is not a left-over. Looks through /proc until the
 * CLOCK_MONOTONIC deadline; errno is kept. */
enum os_lock_keeper os_lock_keeper_look(int fd, int64_t deadline_ns);

#endif
