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

#define LOCK_FILE ".lock"
#define TURNSTILE_FILE ".next"
/* Between two tries: a sixteenth of what has been waited so far, so that a crowd of waiters does
 * not spend the processor on asking, and nobody waits a tenth longer for it. */
#define POLL_NS INT64_C(20000)
#define POLL_SHARE 16
#define POLL_MAX_NS INT64_C(10000000)
/* Who went through the turnstile may take a free lock past it for that long: a burst of records
 * pays for it once, and who waits there waits that much longer at most. */
#define PAST_TURNSTILE_NS INT64_C(200000)

int agent_lock_open(struct agent_lock *lock, int agent_fd, struct error *error) {
  struct stat status;

  *lock = (struct agent_lock){.lock_fd = -1, .next_fd = -1};
  if (directory_open_file(agent_fd, LOCK_FILE, O_RDWR | O_CREAT, &lock->lock_fd, error) == 0 &&
      directory_open_file(agent_fd, TURNSTILE_FILE, O_RDWR | O_CREAT, &lock->next_fd, error) == 0) {
    if (fstat(lock->lock_fd, &status) == 0) {
      lock->device = status.st_dev;
      lock->inode = status.st_ino;
      return 0;
    }
    (void)error_set_errno(error, KAIZEN_E_IO, errno, LOCK_FILE ": fstat");
  }
  agent_lock_close(lock);
  return -1;
}

void agent_lock_close(struct agent_lock *lock) {
  if (lock->lock_fd >= 0)
    (void)close(lock->lock_fd);
  if (lock->next_fd >= 0)
    (void)close(lock->next_fd);
  *lock = (struct agent_lock){.lock_fd = -1, .next_fd = -1};
}

static int64_t pause_after(int64_t waited_ns) {
  int64_t pause_ns = waited_ns / POLL_SHARE;

  return pause_ns < POLL_NS ? POLL_NS : pause_ns < POLL_MAX_NS ? pause_ns : POLL_MAX_NS;
}

/* 0, 1 at the deadline, -1 with *error. */
static int take(int fd, int operation, const char *name, int64_t deadline_ns, struct error *error) {
  int64_t begin_ns = 0, now_ns;

  while (flock(fd, operation | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return error_set_errno(error, KAIZEN_E_IO, errno, "%s: flock", name);
    now_ns = clock_monotonic_ns();
    if (now_ns >= deadline_ns)
      return 1;
    if (begin_ns == 0)
      begin_ns = now_ns;
    clock_pause_ns(pause_after(now_ns - begin_ns));
  }
  return 0;
}

static int pass_turnstile(struct agent_lock *lock, int operation, int64_t deadline_ns,
                          struct error *error) {
  int result = take(lock->next_fd, LOCK_EX, TURNSTILE_FILE, deadline_ns, error);

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
  (void)flock(lock->lock_fd, LOCK_UN);
}

bool agent_lock_in_place(const struct agent_lock *lock, int agent_fd) {
  struct stat named;

  return fstatat(agent_fd, LOCK_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         named.st_ino == lock->inode && named.st_dev == lock->device;
}
