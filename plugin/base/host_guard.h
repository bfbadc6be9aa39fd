/* host_guard.h - keeps a call into the plugin from changing its host: around everything that may
 * block or write.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A cancelled thread would leave locks behind; a write past RLIMIT_FSIZE would raise SIGXFSZ, which
 * ends the process; errno belongs to the caller (promise 21). */
#ifndef KAIZEN_BASE_HOST_GUARD_H
#define KAIZEN_BASE_HOST_GUARD_H

#include <signal.h>
#include <stdbool.h>

struct host_guard {
  int saved_errno, cancel_state;
  bool signal_blocked; /* SIGXFSZ; only where a limit is set */
  bool signal_pending; /* it was pending before: it belongs to the host */
  sigset_t saved_mask;
};

void host_guard_enter(struct host_guard *guard);
void host_guard_leave(const struct host_guard *guard);

#endif
