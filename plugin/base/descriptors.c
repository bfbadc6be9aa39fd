/* descriptors.c - how many descriptors the library holds in this process, and may keep.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/descriptors.h"

#include <sys/resource.h>

#include "base/process.h"

#define SHARE(limit) ((limit) / 16 * 7) /* the rest is for files open for a moment */
#define KEPT_MAX (1u << 16)             /* where there is no limit, or a huge one */
#define LIMIT_UNKNOWN_MAX 256           /* POSIX promises only a few */

static struct process_state held_state = PROCESS_STATE_INITIALIZER;
static unsigned held;

/* What a child inherits is its parent's, and stays open as long as the child lives. */
static void forget_held(void) {
  held = 0;
}

/* Read each time: a host may change the limit while it runs. */
static unsigned cap(void) {
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return SHARE(LIMIT_UNKNOWN_MAX);
  return SHARE(limit.rlim_cur) > KEPT_MAX ? KEPT_MAX : (unsigned)SHARE(limit.rlim_cur);
}

void descriptors_hold(unsigned count) {
  process_state_lock(&held_state, forget_held);
  held += count;
  process_state_unlock(&held_state);
}

bool descriptors_keep(unsigned count, unsigned percent) {
  unsigned allowed = (unsigned)((unsigned long long)cap() * percent / 100);
  bool fits;

  process_state_lock(&held_state, forget_held);
  fits = held + count <= allowed;
  if (fits)
    held += count;
  process_state_unlock(&held_state);
  return fits;
}

/* A child may release what only its parent had counted. */
void descriptors_release(unsigned count) {
  process_state_lock(&held_state, forget_held);
  held -= count < held ? count : held;
  process_state_unlock(&held_state);
}
