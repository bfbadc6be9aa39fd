/* lock_wait.c - flock(2) with a deadline.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common/lock_wait.h"

#include <errno.h>
#include <sys/file.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
/* Between two tries: a sixteenth of the time waited so far.  So many waiters do not load the
 * processor with tries, and none waits more than a tenth longer. */
#define POLL_NS INT64_C(20000)
#define POLL_SHARE 16
#define POLL_MAX_NS INT64_C(10000000)

static int64_t now_ns(void) {
  struct timespec now;

  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Never beyond the deadline, which the caller has promised to keep. */
static int64_t pause_after(int64_t waited_ns, int64_t left_ns) {
  int64_t pause_ns = waited_ns / POLL_SHARE;

  if (pause_ns < POLL_NS)
    pause_ns = POLL_NS;
  if (pause_ns > POLL_MAX_NS)
    pause_ns = POLL_MAX_NS;
  return pause_ns < left_ns ? pause_ns : left_ns;
}

int lock_wait_take(int fd, int operation, int64_t deadline_ns) {
  int64_t begin_ns = 0;

  while (flock(fd, operation | LOCK_NB) != 0) {
    struct timespec pause = {0};
    int64_t at_ns;

    if (errno != EWOULDBLOCK && errno != EINTR)
      return -1;
    at_ns = now_ns();
    if (at_ns >= deadline_ns)
      return 1;
    if (begin_ns == 0)
      begin_ns = at_ns;
    pause.tv_nsec = pause_after(at_ns - begin_ns, deadline_ns - at_ns);
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
  }
  return 0;
}
