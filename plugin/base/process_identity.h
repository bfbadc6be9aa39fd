/* process_identity.h - which process something belongs to, so that others can tell when it is gone.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A pid alone is not enough: it is reused, it means another process in another pid namespace, and
 * it means nothing after a boot.  The identity also holds what distinguishes these. */
#ifndef KAIZEN_BASE_PROCESS_IDENTITY_H
#define KAIZEN_BASE_PROCESS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

enum { PROCESS_BOOT_SIZE = 40 };

struct process_identity {
  char boot[PROCESS_BOOT_SIZE]; /* the text that names the boot, NUL-terminated; "": not known */
  uint64_t pid_namespace;       /* 0: not known */
  int64_t pid;
  uint64_t start_ticks; /* since the boot; 0: not known */
};

enum process_fate {
  PROCESS_RUNS,
  PROCESS_GONE,
  PROCESS_UNKNOWN /* it is in another pid namespace, or the system does not say */
};

void process_identity_own(struct process_identity *own);
/* Whether a process still runs, seen from this one, which is `own`. */
enum process_fate process_identity_fate(const struct process_identity *of,
                                        const struct process_identity *own);

#endif
