/* agent_lock.c - an agent's .lock, polled, behind a turnstile.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/agent_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/os_files.h"
#include "base/os_lock_keeper.h"
#include "common/lock_wait.h"

#define LOCK_FILE ".lock"
#define SPARE_FILE LOCK_FILE ".new" /* only while the lock is replaced */
#define TURNSTILE_FILE ".next"
/* For this long after it passed the turnstile, a process may take a free lock without it: a burst
 * of records pays for the turnstile once, and those who wait there wait at most that much
 * longer. */
#define PAST_TURNSTILE_NS INT64_C(200000)
/* A process that waits this long looks up who keeps the lock, and does so again after this
 * interval; a look may go this far beyond the deadline of the wait. */
#define LOOK_AFTER_NS INT64_C(100000000)
#define LOOK_INTERVAL_NS INT64_C(500000000)
#define LOOK_NS INT64_C(50000000)
#define REOPEN_TRIES 8 /* of a reader, while somebody removes the file again and again */

static const struct agent_lock closed = {.agent_fd = -1, .lock_fd = -1, .next_fd = -1};

static int remember_file(struct agent_lock *lock, struct error *error) {
  struct stat status;

  if (fstat(lock->lock_fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, LOCK_FILE ": fstat");
  lock->device = status.st_dev;
  lock->inode = status.st_ino;
  return 0;
}

static bool has_spare(int agent_fd) {
  struct stat status;

  return fstatat(agent_fd, SPARE_FILE, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

int agent_lock_open(struct agent_lock *lock, int agent_fd, struct error *error) {
  *lock = closed;
  lock->agent_fd = agent_fd;
  if (directory_open_file(agent_fd, LOCK_FILE, O_RDWR | O_CREAT, &lock->lock_fd, error) == 0 &&
      directory_open_file(agent_fd, TURNSTILE_FILE, O_RDWR | O_CREAT, &lock->next_fd, error) == 0 &&
      remember_file(lock, error) == 0) {
    lock->unsettled = has_spare(agent_fd);
    return 0;
  }
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

/* ---- who keeps it ---------------------------------------------------------------------------- */

#define ORPHANED 2

static int64_t earlier(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* A waiter has the time to look. */
static bool is_orphaned(int fd, int64_t deadline_ns) {
  int64_t least_ns = clock_monotonic_ns() + LOOK_NS;

  return os_lock_keeper_look(fd, deadline_ns > least_ns ? deadline_ns : least_ns) ==
         OS_LOCK_KEEPER_CHILD;
}

/* 0, 1 at the deadline, ORPHANED, -1 with *error. */
static int take(struct agent_lock *lock, int fd, int operation, const char *name,
                int64_t deadline_ns, struct error *error) {
  int64_t begin_ns = clock_monotonic_ns(),
          until_ns = earlier(begin_ns + LOOK_AFTER_NS, deadline_ns);
  int result = lock_wait_take(fd, operation, until_ns);

  while (result == 1 && deadline_ns > begin_ns) {
    if (until_ns >= lock->looked_ns + LOOK_INTERVAL_NS) {
      lock->looked_ns = until_ns;
      if (is_orphaned(fd, deadline_ns))
        return ORPHANED;
    }
    if (until_ns >= deadline_ns)
      break;
    until_ns = earlier(until_ns + LOOK_INTERVAL_NS, deadline_ns);
    result = lock_wait_take(fd, operation, until_ns);
  }
  return result < 0 ? error_set_errno(error, KAIZEN_E_IO, errno, "%s: flock", name) : result;
}

static bool is_in_place(const struct agent_lock *lock, int fd, const char *name) {
  struct stat named, held;

  return fstat(fd, &held) == 0 && fstatat(lock->agent_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

/* Opens what is there and makes nothing; writable where that is allowed, because network file
 * systems lock nothing else exclusively.  1: there is none. */
static int open_as_it_is(int agent_fd, const char *name, int *fd, struct error *error) {
  int result = directory_open_file(agent_fd, name, O_RDWR, fd, NULL);

  return result < 0 ? directory_open_file(agent_fd, name, O_RDONLY, fd, error) : result;
}

/* ---- replacing a file whose lock is held without a user -------------------------------------- */

/* The new file is made under the spare name, locked, and its name exchanged with that of the old
 * one.  Just before that the child may end, and a process that sees the old file in place may take
 * its lock: that process is waited for, and at the deadline the old file gets its name back.  A
 * process may be killed while it waits here: others then find the old file under the spare name,
 * and wait for its lock first. */

#define AGAIN 3

/* One process at a time replaces; one that was killed here may have left the lock to a child. */
static int take_folder(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  int result = take(lock, lock->agent_fd, LOCK_EX, "its folder", deadline_ns, error);

  return result == ORPHANED ? 0 : result;
}

/* Waits until nobody uses the lock of the file under the spare name.  0, 1 at the deadline, -1. */
static int pass_former(struct agent_lock *lock, int operation, int64_t deadline_ns,
                       struct error *error) {
  int fd, result = open_as_it_is(lock->agent_fd, SPARE_FILE, &fd, error);

  if (result != 0)
    return result < 0 ? -1 : 0;
  result = take(lock, fd, operation, SPARE_FILE, deadline_ns, error);
  if (result == 0)
    (void)flock(fd, LOCK_UN);
  (void)close(fd);
  return result == ORPHANED ? 0 : result;
}

/* The folder is locked. */
static int remove_former(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  int result = pass_former(lock, LOCK_EX, deadline_ns, error);

  if (result == 0 && unlinkat(lock->agent_fd, SPARE_FILE, 0) != 0 && errno != ENOENT)
    return error_set_errno(error, KAIZEN_E_IO, errno, SPARE_FILE ": cannot remove");
  return result;
}

static int settle(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  int result = take_folder(lock, deadline_ns, error);

  if (result != 0)
    return result;
  result = remove_former(lock, deadline_ns, error);
  (void)flock(lock->agent_fd, LOCK_UN);
  if (result == 0)
    lock->unsettled = false;
  return result;
}

static int make_and_lock(struct agent_lock *lock, const char *name, int flags, int *fd,
                         int64_t deadline_ns, struct error *error) {
  int result = directory_open_file(lock->agent_fd, name, O_RDWR | O_CREAT | flags, fd, error);

  if (result != 0)
    return result < 0 ? -1 : error_set(error, KAIZEN_E_IO, "%s: the agent's folder is gone", name);
  result = lock_wait_take(*fd, LOCK_EX, deadline_ns);
  return result < 0 ? error_set_errno(error, KAIZEN_E_IO, errno, "%s: flock", name) : result;
}

static void drop(int *fd) {
  if (*fd < 0)
    return;
  (void)flock(*fd, LOCK_UN); /* a child that was forked meanwhile has it open too */
  (void)close(*fd);
  *fd = -1;
}

/* A new file, locked, under the lock's name; the old one under the spare name. Where the file
 * system cannot exchange two names there is no file of that name for a moment: any process that
 * makes one finds the old one under the spare name. 0, 1 at the deadline, -1. */
static int change_names(struct agent_lock *lock, int *new_fd, int64_t deadline_ns,
                        struct error *error) {
  int result = make_and_lock(lock, SPARE_FILE, O_EXCL, new_fd, deadline_ns, error);

  if (result == 0 && os_files_exchange(lock->agent_fd, SPARE_FILE, LOCK_FILE) == 0)
    return 0;
  if (*new_fd >= 0)
    (void)unlinkat(lock->agent_fd, SPARE_FILE, 0);
  drop(new_fd);
  if (result != 0)
    return result;
  if (renameat(lock->agent_fd, LOCK_FILE, lock->agent_fd, SPARE_FILE) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, LOCK_FILE ": cannot rename");
  return make_and_lock(lock, LOCK_FILE, 0, new_fd, deadline_ns, error);
}

/* Waits until nobody uses the old lock.  Results as take(). */
static int see_old_one_out(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  if (is_orphaned(lock->lock_fd, deadline_ns))
    return ORPHANED;
  return take(lock, lock->lock_fd, LOCK_EX, LOCK_FILE, deadline_ns, error);
}

/* The folder is locked.  0 taken, 1 at the deadline, -1. */
static int replace_file(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  int new_fd = -1, result = change_names(lock, &new_fd, deadline_ns, error);

  if (result == 0)
    result = see_old_one_out(lock, deadline_ns, error);
  if (result != 0 && result != ORPHANED) {
    if (is_in_place(lock, lock->lock_fd, SPARE_FILE) &&
        (new_fd < 0 || is_in_place(lock, new_fd, LOCK_FILE)))
      (void)renameat(lock->agent_fd, SPARE_FILE, lock->agent_fd, LOCK_FILE);
    drop(&new_fd);
    return result;
  }
  (void)unlinkat(lock->agent_fd, SPARE_FILE, 0);
  drop(&lock->lock_fd);
  lock->lock_fd = new_fd;
  return remember_file(lock, error);
}

static int reopen(struct agent_lock *lock, const char *name, int *fd, struct error *error) {
  int new_fd, result = directory_open_file(lock->agent_fd, name, O_RDWR | O_CREAT, &new_fd, error);

  if (result != 0)
    return result < 0 ? -1 : error_set(error, KAIZEN_E_IO, "%s: the agent's folder is gone", name);
  (void)close(*fd);
  *fd = new_fd;
  lock->unsettled = has_spare(lock->agent_fd);
  return remember_file(lock, error);
}

/* 0 taken, AGAIN: another process has replaced it, 1 at the deadline, -1. */
static int replace_lock(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  int result = take_folder(lock, deadline_ns, error);

  if (result != 0)
    return result;
  if (is_in_place(lock, lock->lock_fd, LOCK_FILE)) {
    result = remove_former(lock, deadline_ns, error);
    if (result == 0)
      result = replace_file(lock, deadline_ns, error);
  } else {
    result = reopen(lock, LOCK_FILE, &lock->lock_fd, error) == 0 ? AGAIN : -1;
  }
  (void)flock(lock->agent_fd, LOCK_UN);
  return result;
}

/* The turnstile protects nothing: if some still wait at the old one, that is only a little
 * unfair. */
static int replace_turnstile(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  int result = take_folder(lock, deadline_ns, error);

  if (result != 0)
    return result;
  if (is_in_place(lock, lock->next_fd, TURNSTILE_FILE))
    (void)unlinkat(lock->agent_fd, TURNSTILE_FILE, 0);
  result = reopen(lock, TURNSTILE_FILE, &lock->next_fd, error);
  (void)flock(lock->agent_fd, LOCK_UN);
  return result;
}

/* ---- taking it ------------------------------------------------------------------------------- */

static int take_turnstile(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  int result = take(lock, lock->next_fd, LOCK_EX, TURNSTILE_FILE, deadline_ns, error);

  if (result == ORPHANED) {
    result = replace_turnstile(lock, deadline_ns, error);
    if (result == 0)
      result = take(lock, lock->next_fd, LOCK_EX, TURNSTILE_FILE, deadline_ns, error);
  }
  return result == ORPHANED ? 1 : result;
}

static int take_lock(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  int result;

  do {
    result = lock->unsettled ? settle(lock, deadline_ns, error) : 0;
    if (result == 0)
      result = take(lock, lock->lock_fd, LOCK_EX, LOCK_FILE, deadline_ns, error);
    if (result == ORPHANED)
      result = replace_lock(lock, deadline_ns, error);
  } while (result == AGAIN);
  return result;
}

/* Everybody waits at the turnstile, readers too; only the next one waits at .lock itself.  If
 * readers could pass by, they would share the lock without end, and no writer would ever find it
 * free. */
int agent_lock_exclusive(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  int result;

  if (clock_monotonic_ns() < lock->passed_ns + PAST_TURNSTILE_NS &&
      flock(lock->lock_fd, LOCK_EX | LOCK_NB) == 0)
    return 0;
  result = take_turnstile(lock, deadline_ns, error);
  if (result != 0)
    return result;
  result = take_lock(lock, deadline_ns, error);
  (void)flock(lock->next_fd, LOCK_UN);
  if (result == 0)
    lock->passed_ns = clock_monotonic_ns();
  return result;
}

/* A reader finds no turnstile where somebody removed it. */
int agent_lock_shared(struct agent_lock *lock, int64_t deadline_ns, struct error *error) {
  int result = 0;

  if (lock->next_fd >= 0)
    result = take(lock, lock->next_fd, LOCK_EX, TURNSTILE_FILE, deadline_ns, error);
  if (result != 0 && result != ORPHANED)
    return result;
  result = lock->unsettled ? pass_former(lock, LOCK_SH, deadline_ns, error) : 0;
  if (result == 0) {
    lock->unsettled = false;
    result = take(lock, lock->lock_fd, LOCK_SH, LOCK_FILE, deadline_ns, error);
  }
  if (lock->next_fd >= 0)
    (void)flock(lock->next_fd, LOCK_UN);
  return result == ORPHANED ? 0 : result;
}

void agent_lock_release(struct agent_lock *lock) {
  if (lock->lock_fd >= 0)
    (void)flock(lock->lock_fd, LOCK_UN);
}

bool agent_lock_is_ours(const struct agent_lock *lock) {
  return directory_is_file(lock->lock_fd, lock->device, lock->inode);
}

bool agent_lock_in_place(const struct agent_lock *lock, int agent_fd) {
  struct stat named;

  return fstatat(agent_fd, LOCK_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         named.st_ino == lock->inode && named.st_dev == lock->device;
}

static int refuse_busy(int result, struct error *error) {
  return result == 1 ? error_set(error, KAIZEN_E_BUSY, "the agent's lock was not free") : result;
}

/* 1: the lock is that of a file which was removed or replaced meanwhile. */
static int take_to_read(struct agent_lock *lock, int agent_fd, int64_t deadline_ns,
                        struct error *error) {
  int result = open_as_it_is(agent_fd, LOCK_FILE, &lock->lock_fd, error);

  lock->agent_fd = agent_fd;
  if (result == 1)
    return refuse_busy(pass_former(lock, LOCK_SH, deadline_ns, error), error);
  if (result < 0)
    return -1;
  if (open_as_it_is(agent_fd, TURNSTILE_FILE, &lock->next_fd, error) < 0 ||
      remember_file(lock, error) != 0)
    return -1;
  lock->unsettled = has_spare(agent_fd);
  result = refuse_busy(agent_lock_shared(lock, deadline_ns, error), error);
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
    return error_set(error, KAIZEN_E_BUSY, LOCK_FILE ": another program keeps replacing it");
  return result;
}
