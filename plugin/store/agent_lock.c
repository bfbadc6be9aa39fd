/* agent_lock.c - an agent's .lock, polled, behind a turnstile.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/agent_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "common/lock_wait.h"

#define LOCK_FILE ".lock"
#define TURNSTILE_FILE ".next"
/* Who went through the turnstile may take a free lock past it for that long: a burst of records
 * pays for it once, and who waits there waits that much longer at most. */
#define PAST_TURNSTILE_NS INT64_C(200000)
#define REOPEN_TRIES 8 /* of a reader, with one who removes the file again and again */

static const struct agent_lock closed = {.lock_fd = -1, .next_fd = -1};

static int remember_file(struct agent_lock *lock, struct error *error) {
  struct stat status;

  if (fstat(lock->lock_fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, LOCK_FILE ": fstat");
  lock->device = status.st_dev;
  lock->inode = status.st_ino;
  return 0;
}

int agent_lock_open(struct agent_lock *lock, int agent_fd, struct error *error) {
  *lock = closed;
  if (directory_open_file(agent_fd, LOCK_FILE, O_RDWR | O_CREAT, &lock->lock_fd, error) == 0 &&
      directory_open_file(agent_fd, TURNSTILE_FILE, O_RDWR | O_CREAT, &lock->next_fd, error) == 0 &&
      remember_file(lock, error) == 0)
    return 0;
  agent_lock_close(lock);
  return -1;
}

void agent_lock_close(struct agent_lock *lock) {
  if (lock->lock_fd >= 0)
    (void)close(lock->lock_fd);
  if (lock->next_fd >= 0)
    (void)close(lock->next_fd);
  *lock = closed;
}

/* 0, 1 at the deadline, -1 with *error. */
static int take(int fd, int operation, const char *name, int64_t deadline_ns, struct error *error) {
  int result = lock_wait_take(fd, operation, deadline_ns);

  return result < 0 ? error_set_errno(error, KAIZEN_E_IO, errno, "%s: flock", name) : result;
}

/* Everybody who waits does so here, readers too: at .lock itself stands only the next one.  Readers
 * that passed by would share the lock without end, and no writer would ever find it free.  A reader
 * meets a folder without a turnstile where somebody removed it. */
static int pass_turnstile(struct agent_lock *lock, int operation, int64_t deadline_ns,
                          struct error *error) {
  int result;

  if (lock->next_fd < 0)
    return take(lock->lock_fd, operation, LOCK_FILE, deadline_ns, error);
  result = take(lock->next_fd, LOCK_EX, TURNSTILE_FILE, deadline_ns, error);
  if (result != 0)
    return result;
  result = take(lock->lock_fd, operation, LOCK_FILE, deadline_ns, error);
  (void)flock(lock->next_fd, LOCK_UN);
  return result;
}

int agent_lock_exclusive(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  int result;

  if (clock_monotonic_ns() < lock->passed_ns + PAST_TURNSTILE_NS &&
      flock(lock->lock_fd, LOCK_EX | LOCK_NB) == 0)
    return 0;
  result = pass_turnstile(lock, LOCK_EX, deadline_ns, error);
  if (result == 0)
    lock->passed_ns = clock_monotonic_ns();
  return result;
}

int agent_lock_shared(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  return pass_turnstile(lock, LOCK_SH, deadline_ns, error);
}

void agent_lock_release(struct agent_lock *lock) {
  if (lock->lock_fd >= 0)
    (void)flock(lock->lock_fd, LOCK_UN);
}

bool agent_lock_in_place(const struct agent_lock *lock, int agent_fd) {
  struct stat named;

  return fstatat(agent_fd, LOCK_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         named.st_ino == lock->inode && named.st_dev == lock->device;
}

/* As it stands there, nothing is made; writable where that is allowed, because network file systems
 * lock nothing else exclusively.  1: there is none. */
static int open_as_it_is(int agent_fd, const char *name, int *fd, struct error *error) {
  int result = directory_open_file(agent_fd, name, O_RDWR, fd, NULL);

  return result < 0 ? directory_open_file(agent_fd, name, O_RDONLY, fd, error) : result;
}

/* 1: the lock is that of a file which was removed or replaced meanwhile. */
static int take_to_read(struct agent_lock *lock, int agent_fd, int64_t deadline_ns,
                        struct error *error) {
  int result = open_as_it_is(agent_fd, LOCK_FILE, &lock->lock_fd, error);

  if (result != 0)
    return result == 1 ? 0 : -1;
  if (open_as_it_is(agent_fd, TURNSTILE_FILE, &lock->next_fd, error) < 0 ||
      remember_file(lock, error) != 0)
    return -1;
  result = agent_lock_shared(lock, deadline_ns, error);
  if (result == 1)
    return error_set(error, KAIZEN_E_BUSY, "the agent's lock was not free");
  return result < 0 ? -1 : agent_lock_in_place(lock, agent_fd) ? 0 : 1;
}

int agent_lock_read(struct agent_lock *lock, int agent_fd, int64_t deadline_ns,
                    struct error *error) {
  int tries, result = 1;

  *lock = closed;
  for (tries = 0; result == 1 && tries < REOPEN_TRIES; tries++) {
    result = take_to_read(lock, agent_fd, deadline_ns, error);
    if (result != 0)
      agent_lock_close(lock);
  }
  if (result == 1)
    return error_set(error, KAIZEN_E_BUSY, LOCK_FILE ": is replaced again and again");
  return result;
}
