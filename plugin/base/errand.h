/* errand.h - work with a deadline: a thread that is left behind when it does not keep it.
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
  void (*hurry)(void *ctx); /* by the caller, at the deadline: may make the work end; NULL: none */
  void (*drop)(void *ctx);  /* by the thread, when it ends after it was left behind; NULL: none */
};

/* Runs the work; waits to the CLOCK_MONOTONIC deadline, and a moment for what `hurry` did.  0: it
 * has ended, `ctx` is the caller's again.  1: it is left behind, and `ctx` with it.  -1: there is
 * no thread or no memory for it, nothing ran.  The thread blocks every signal. */
int errand_run(const struct errand *errand, void *ctx, int64_t deadline_ns);

#endif
