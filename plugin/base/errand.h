/* errand.h - work with a deadline: on a thread that is left behind when it misses it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * For calls into libraries that may never return.  Whatever the work touches is reached through
 * `ctx` and belongs to the thread until it ends. */
#ifndef KAIZEN_BASE_ERRAND_H
#define KAIZEN_BASE_ERRAND_H

#include <stdint.h>

struct errand {
  void (*work)(void *ctx);
  void (*hurry)(void *ctx); /* called by the caller at the deadline: may make the work end; NULL:
                             * none */
  void (*drop)(void *ctx);  /* called by the thread when it ends after it was left behind; NULL:
                             * none */
};

/* Runs the work; waits until the CLOCK_MONOTONIC deadline, then a moment for `hurry` to take
 * effect.  0: the work has ended, `ctx` is the caller's again.  1: the thread is left behind, and
 * owns `ctx`.  -1: no thread or no memory for it; nothing ran.  The thread blocks every signal. */
int errand_run(const struct errand *errand, void *ctx, int64_t deadline_ns);

#endif
