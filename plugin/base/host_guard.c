/* host_guard.c - keeps a call into the plugin from changing its host.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/host_guard.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

static void only_file_size_signal(sigset_t *set) {
  (void)sigemptyset(set);
  (void)sigaddset(set, SIGXFSZ);
}

void host_guard_enter(struct host_guard *guard) {
  struct rlimit limit;
  sigset_t blocked, pending;

  guard->saved_errno = errno;
  guard->signal_blocked = guard->signal_pending = false;
  (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &guard->cancel_state);
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return;
  if (sigpending(&pending) == 0)
    guard->signal_pending = sigismember(&pending, SIGXFSZ) == 1;
  only_file_size_signal(&blocked);
  guard->signal_blocked = pthread_sigmask(SIG_BLOCK, &blocked, &guard->saved_mask) == 0;
}

void host_guard_leave(const struct host_guard *guard) {
  struct timespec at_once = {0, 0};
  sigset_t own;

  if (guard->signal_blocked) {
    /* raised by our own write on this thread: removed before any mask lets it through */
    only_file_size_signal(&own);
    while (!guard->signal_pending && sigtimedwait(&own, NULL, &at_once) < 0 && errno == EINTR)
      continue;
    (void)pthread_sigmask(SIG_SETMASK, &guard->saved_mask, NULL);
  }
  (void)pthread_setcancelstate(guard->cancel_state, NULL);
  errno = guard->saved_errno;
}
